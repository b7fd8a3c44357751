// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "absl/strings/string_view.h"

namespace mesh::service {

// What a process is in the mesh; kOperator is a person with a certificate.
enum class Role { kGateway, kAttention, kExpert, kRouter, kOperator };

// "gateway", "attention-node", "expert-node", "router", "operator".
absl::string_view RoleName(Role role);
std::optional<Role> ParseRole(absl::string_view name);

}  // namespace mesh::service
