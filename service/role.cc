// SPDX-License-Identifier: Apache-2.0
#include "service/role.h"

namespace mesh::service {
namespace {

constexpr Role kRoles[] = {Role::kGateway, Role::kAttention, Role::kExpert,
                           Role::kRouter, Role::kOperator};

}  // namespace

absl::string_view RoleName(Role role) {
  switch (role) {
    case Role::kGateway:
      return "gateway";
    case Role::kAttention:
      return "attention-node";
    case Role::kExpert:
      return "expert-node";
    case Role::kRouter:
      return "router";
    case Role::kOperator:
      return "operator";
  }
  return "unknown";
}

std::optional<Role> ParseRole(absl::string_view name) {
  for (const Role role : kRoles) {
    if (RoleName(role) == name) return role;
  }
  return std::nullopt;
}

}  // namespace mesh::service
