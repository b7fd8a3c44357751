// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "service/tls.h"

namespace grpc {
class Channel;
}  // namespace grpc

namespace mesh::service {

struct ChannelOptions {
  TlsOptions tls = {};
  bool insecure_lab = false;
  int max_message_bytes = 16 << 20;
};

// A channel with keepalive, limits and quick reconnects (back-off at most 2 s).
// Does not wait for a connection. With TLS the server must hold a certificate
// of the mesh. Errors: kInvalidArgument for plaintext beyond loopback without
// insecure_lab; those of CheckTls.
absl::StatusOr<std::shared_ptr<grpc::Channel>> MakeChannel(
    const std::string& target, const ChannelOptions& options);

}  // namespace mesh::service
