// SPDX-License-Identifier: Apache-2.0
#include "service/version.h"

namespace mesh::service {

absl::string_view Version() { return MESH_VERSION; }

}  // namespace mesh::service
