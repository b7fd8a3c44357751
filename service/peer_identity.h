// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "service/role.h"

namespace grpc {
class ServerContextBase;
}  // namespace grpc

namespace mesh::service {

// Who called, by the certificate's URI SAN.
struct PeerIdentity {
  Role role = Role::kOperator;
  std::string name;
};

// From spiffe://TRUST_DOMAIN/mesh/ROLE/NAME; nothing for anything else.
std::optional<PeerIdentity> ParseSpiffeId(absl::string_view uri);

// Nothing for a plaintext connection (loopback or lab): such a caller may be
// anyone. Errors are told by Authorize.
std::optional<PeerIdentity> IdentityOf(const grpc::ServerContextBase& context);

// Errors: kPermissionDenied if the caller has a certificate of another role, or
// one without a role. Plaintext callers pass.
absl::Status Authorize(const grpc::ServerContextBase& context,
                       std::initializer_list<Role> allowed);

// Errors: kPermissionDenied if the caller's certificate is not of this role and
// name. Plaintext callers pass.
absl::Status AuthorizeAs(const grpc::ServerContextBase& context, Role role,
                         const std::string& name);

}  // namespace mesh::service
