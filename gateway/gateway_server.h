// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gateway/gateway_options.h"
#include "service/logger.h"

namespace mesh::gateway {

// The gateway as a whole: takes requests of text, keeps their token streams
// going on attention nodes, gives text back. Threads: Start, Drain and the
// destructor on one thread.
class GatewayServer {
 public:
  using Options = GatewayOptions;

  static void AddFlags(service::Flags& flags, Options* options) {
    AddGatewayFlags(flags, options);
  }

  // Returns once it listens; health is NOT_SERVING while no attention node is
  // connected. `logger` outlives the server. Errors: those of LoadServedModel,
  // service::Metrics, TenantRegistry, GrpcDoor and HttpDoor; kInvalidArgument
  // for an option.
  static absl::StatusOr<std::unique_ptr<GatewayServer>> Start(
      const Options& options, const service::Logger& logger);
  // Cancels what still runs.
  ~GatewayServer();

  // gRPC, advertised.
  const std::string& Address() const;
  // host:port of the HTTP APIs; empty: there are none.
  std::string HttpAddress() const;

  // Connected ones.
  int NumAttentionNodes() const;

  // Refuses new requests, lets running ones finish until `limit`, cancels the
  // rest, and leaves the mesh.
  void Drain(absl::Duration limit);

 private:
  struct State;
  explicit GatewayServer(std::unique_ptr<State> state);

  const std::unique_ptr<State> state_;
};

}  // namespace mesh::gateway
