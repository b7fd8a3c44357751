// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/clock.h"
#include "gateway/grpc_port/close_reason.h"
#include "gateway/grpc_port/frame_scanner.h"
#include "gateway/net/connection_limits.h"
#include "service/connection_acceptor.h"
#include "service/tls.h"

namespace mesh::gateway {

// The public gRPC port: accepts, ends TLS, reads along what clients send, and
// hands gRPC one end of a socket pair for each connection that has greeted as
// HTTP/2 does. gRPC itself never sees a socket of the network's
// (docs/grpc_port.md). Has one thread, on which all bytes pass. Its methods are
// thread-safe.
class GuardedGrpcPort {
 public:
  struct Options {
    std::string listen = "127.0.0.1:0";  // host:port; port 0: any free one
    service::TlsOptions tls = {};
    // With TLS, clients need a certificate of the mesh's authority.
    bool require_client_certificate = true;
    bool insecure_lab = false;  // plaintext beyond loopback
    ConnectionLimits::Options connections = {};
    ScanLimits frames = {};
    absl::Duration preface_deadline = absl::Seconds(5);  // with TLS's handshake
    absl::Duration idle_limit = absl::Seconds(60);       // without a stream
    // Without a byte taken by a client that has some to read.
    absl::Duration stall_limit = absl::Seconds(20);
  };

  // Listens once it returns. `server` and `clock` outlive the port. Errors:
  // those of Acceptor::Start and MakeTlsContext.
  static absl::StatusOr<std::unique_ptr<GuardedGrpcPort>> Start(
      const Options& options, service::ConnectionAcceptor& server,
      const Clock& clock);
  // Cuts what is still connected.
  ~GuardedGrpcPort();

  // host:port, with the port that was found for 0.
  const std::string& Address() const;

  // Takes no more connections. Those that there are go on: shut the server down
  // next, then wait for its last bytes to reach the clients.
  void StopAccepting();
  void AwaitNone(absl::Duration limit);

  // Since the start.
  uint64_t NumAccepted() const;
  uint64_t NumRefused() const;  // by a limit of connections
  uint64_t NumClosed(CloseReason reason) const;
  int NumConnections() const;

 private:
  class State;
  explicit GuardedGrpcPort(std::unique_ptr<State> state);

  const std::unique_ptr<State> state_;
};

}  // namespace mesh::gateway
