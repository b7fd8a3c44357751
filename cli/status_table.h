// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "cli/mesh_state.h"

namespace mesh::cli {

// Pure functions from what a router says to what people and programs read.

// A word for people and programs: "loading", "ready", ...
absl::string_view HealthText(NodeHealth health);

// The mesh in a line, then its nodes in a table. `before`, an earlier state of
// the same mesh, turns counts into rates; may be null.
std::string StatusText(const MeshState& state, const MeshState* before);

// The hottest experts of each window, and each layer's imbalance.
std::string LoadText(const MeshState& state);

}  // namespace mesh::cli
