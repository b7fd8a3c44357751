// SPDX-License-Identifier: Apache-2.0
#include "service/peer_identity.h"

#include <grpcpp/security/auth_context.h>
#include <grpcpp/server_context.h>

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace mesh::service {
namespace {

constexpr char kSubjectNames[] = "x509_subject_alternative_name";
constexpr char kSpiffe[] = "spiffe://";

struct Peer {
  bool has_certificate = false;
  std::optional<PeerIdentity> identity;
};

// A certificate of two identities has none: nobody could say which one counts.
Peer PeerOf(const grpc::ServerContextBase& context) {
  const auto auth = context.auth_context();
  Peer peer;
  if (auth == nullptr || !auth->IsPeerAuthenticated()) return peer;
  peer.has_certificate = true;
  int num_spiffe = 0;
  for (const grpc::string_ref& value :
       auth->FindPropertyValues(kSubjectNames)) {
    const absl::string_view uri(value.data(), value.size());
    if (!absl::StartsWith(uri, kSpiffe)) continue;
    ++num_spiffe;
    peer.identity = ParseSpiffeId(uri);
  }
  if (num_spiffe != 1) peer.identity.reset();
  return peer;
}

absl::Status NotOneOfUs() {
  return absl::PermissionDeniedError(
      "the certificate names no node of the mesh; deploy/certs makes one that "
      "does");
}

}  // namespace

std::optional<PeerIdentity> ParseSpiffeId(absl::string_view uri) {
  if (!absl::StartsWith(uri, kSpiffe)) return std::nullopt;
  const std::vector<absl::string_view> parts =
      absl::StrSplit(uri.substr(sizeof(kSpiffe) - 1), '/');
  if (parts.size() != 4 || parts[0].empty() || parts[1] != "mesh") {
    return std::nullopt;
  }
  const std::optional<Role> role = ParseRole(parts[2]);
  if (!role.has_value() || parts[3].empty()) return std::nullopt;
  return PeerIdentity{*role, std::string(parts[3])};
}

std::optional<PeerIdentity> IdentityOf(const grpc::ServerContextBase& context) {
  return PeerOf(context).identity;
}

absl::Status Authorize(const grpc::ServerContextBase& context,
                       std::initializer_list<Role> allowed) {
  const Peer peer = PeerOf(context);
  if (!peer.has_certificate) return absl::OkStatus();
  if (!peer.identity.has_value()) return NotOneOfUs();
  for (const Role role : allowed) {
    if (peer.identity->role == role) return absl::OkStatus();
  }
  const auto append_name = [](std::string* out, Role role) {
    absl::StrAppend(out, RoleName(role));
  };
  return absl::PermissionDeniedError(absl::StrCat(
      "the certificate is for role ", RoleName(peer.identity->role),
      "; this call is for ", absl::StrJoin(allowed, " or ", append_name)));
}

absl::Status AuthorizeAs(const grpc::ServerContextBase& context, Role role,
                         const std::string& name) {
  const Peer peer = PeerOf(context);
  if (!peer.has_certificate) return absl::OkStatus();
  if (!peer.identity.has_value()) return NotOneOfUs();
  if (peer.identity->role == role && peer.identity->name == name) {
    return absl::OkStatus();
  }
  return absl::PermissionDeniedError(absl::StrCat(
      "the certificate is for ", RoleName(peer.identity->role), " ",
      peer.identity->name, ", not for ", RoleName(role), " ", name));
}

}  // namespace mesh::service
