// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "service/connection_acceptor.h"
#include "service/listen_options.h"

namespace grpc {
class Service;
}  // namespace grpc

namespace mesh::service {

// A gRPC server as every process of the mesh has it: reflection, health under
// "", "liveness", "readiness" and each service's full name (all NOT_SERVING
// until SetReady, but liveness), limits, keepalive, mTLS if configured.
class GrpcServer {
 public:
  struct Options {
    ListenOptions listen;
    // Not owned; outlive the server.
    std::vector<grpc::Service*> services;
    std::vector<std::string> service_names;  // full names, for health
    int max_message_bytes = 16 << 20;
    int max_concurrent_streams = 10000;  // of one connection
    // No port of its own: connections come through Connections(), in plaintext.
    // Of `listen` nothing is used, and the addresses are empty.
    bool external_connections = false;
  };

  // Errors: those of CheckListen and CheckTls; kAlreadyExists if the port is
  // taken, with what to do.
  static absl::StatusOr<std::unique_ptr<GrpcServer>> Start(
      const Options& options);
  ~GrpcServer();

  // host:port that it listens on, with the port that was really taken.
  const std::string& Address() const { return address_; }
  // What others connect to.
  const std::string& AdvertisedAddress() const { return advertised_; }

  // Valid as long as the server. REQUIRES: external_connections.
  ConnectionAcceptor& Connections();

  void SetReady(bool ready);
  // Refuses new calls, lets running ones end, cancels those left after `grace`.
  // Idempotent.
  void Shutdown(absl::Duration grace);

 private:
  struct State;
  explicit GrpcServer(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
  std::string address_;
  std::string advertised_;
};

}  // namespace mesh::service
