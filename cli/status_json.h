// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cli/mesh_state.h"

namespace mesh::cli {

// Everything, as a JSON object that ends with a newline. Fields keep their
// names and meanings from version to version; new ones may come.
std::string StatusJson(const MeshState& state, bool one_line);

}  // namespace mesh::cli
