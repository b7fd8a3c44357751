// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace mesh::service {

// Certificates of one node (deploy/certs makes them). All three or none. The
// certificate's URI SAN is spiffe://TRUST_DOMAIN/mesh/ROLE/NAME.
struct TlsOptions {
  std::string ca_file;
  std::string cert_file;
  std::string key_file;

  bool Enabled() const { return !ca_file.empty(); }
};

// The files' contents.
struct TlsPem {
  std::string ca;
  std::string cert;
  std::string key;
};

// The DNS name that every certificate of the mesh has, whatever the host.
inline constexpr char kMeshDnsName[] = "expertmesh-node";

// Errors: kInvalidArgument if one is missing or is not PEM, or the key is
// readable by others than its owner and group; kNotFound if a file is not
// there.
absl::Status CheckTls(const TlsOptions& tls);

// REQUIRES: tls.Enabled(). Errors: those of CheckTls.
absl::StatusOr<TlsPem> ReadTls(const TlsOptions& tls);

}  // namespace mesh::service
