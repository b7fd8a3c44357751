// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cli/mesh_state.h"

namespace mesh::cli {

// What keeps the mesh from answering requests, in a line for people; empty if
// nothing does. Ready means: a placement is active, a gateway, an attention
// node and an expert node are ready, in all at least `num_nodes`, and none is
// loading.
std::string WhatIsMissing(const MeshState& state, int num_nodes);

}  // namespace mesh::cli
