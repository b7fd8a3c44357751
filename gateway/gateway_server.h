// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "service/flags.h"
#include "service/listen_options.h"
#include "service/logger.h"

namespace mesh::gateway {

// The gateway as a whole: takes requests of text, keeps their token streams
// going on attention nodes, gives text back. Threads: Start, Drain and the
// destructor on one thread.
class GatewayServer {
 public:
  // An attention node that is known without a router, for tests.
  struct KnownNode {
    std::string name;
    std::string address;
  };

  struct Options {
    service::ListenOptions listen;
    std::string name = "gateway-0";
    std::string router_address;  // empty: only `attention_nodes`
    std::string model_dir;       // tokenizer and config; no weights
    std::string chat_template;   // empty: the model's own
    int max_requests = 4096;     // at the same time
    absl::Duration heartbeat_timeout = absl::Seconds(1);
    absl::Duration default_deadline = absl::Seconds(600);
    // How long a stream may be without any attention node.
    absl::Duration max_wait = absl::Seconds(60);
    std::vector<KnownNode> attention_nodes;
  };

  static void AddFlags(service::Flags& flags, Options* options);

  // Returns once it listens; health is NOT_SERVING while no attention node is
  // connected. `logger` outlives the server. Errors: those of LoadServedModel,
  // service::Metrics and service::GrpcServer; kInvalidArgument for an option.
  static absl::StatusOr<std::unique_ptr<GatewayServer>> Start(
      const Options& options, const service::Logger& logger);
  // Cancels what still runs.
  ~GatewayServer();

  // gRPC, advertised.
  const std::string& Address() const;

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
