// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "absl/status/status.h"
#include "cli/console.h"
#include "cli/served_mesh.h"

namespace mesh::cli {

// A whole mesh in this process until SIGTERM or Ctrl-C, which end it after the
// requests that run. REQUIRES: no other thread has been started. Errors: those
// of ServedMesh::Start, and why a node cannot go on.
absl::Status RunServe(const ServedMesh::Options& options, Console& console);

}  // namespace mesh::cli
