// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "attention-node/attention_server.h"
#include "expert-node/expert_server.h"
#include "gateway/gateway_server.h"
#include "router/control/router_server.h"
#include "router/transport/in_process_transport.h"
#include "service/logger.h"

namespace mesh::cli {

// The four roles in one process, by the same classes as the four programs:
// gRPC over loopback between them, and the in-process transport for rows unless
// told otherwise. Owned by one thread.
class ServedMesh {
 public:
  struct Options {
    std::string config_path = {};  // as the programs read it; empty: none
    int port = 9400;  // base, laid out as deploy/up does; 0: any free ports
    int num_attention = 1;
    int num_experts = 4;
    // Each wins over the file; absent: as in the file, or the default.
    std::optional<std::string> model_dir = {};
    std::optional<int> num_replicas = {};
    std::optional<int> num_threads = {};
    std::optional<std::string> transport = {};  // "in-process" or "ucx"
    std::string log_level = "warning";
  };

  // Returns once the weights of attention nodes are loaded; the gateway is
  // ready once experts are loaded too. `on_failure` hears, on any thread, why
  // a node can never serve. Errors: those of the file, and of each role's
  // Start().
  static absl::StatusOr<std::unique_ptr<ServedMesh>> Start(
      const Options& options,
      std::function<void(const absl::Status&)> on_failure);

  const std::string& GatewayAddress() const { return gateway_->Address(); }
  std::string HttpAddress() const { return gateway_->HttpAddress(); }
  const std::string& RouterAddress() const { return router_->Address(); }

  // Takes no more requests and lets running ones end, at most for `limit`.
  // After it only the destructor may be called.
  void Drain(absl::Duration limit);

 private:
  // What the file and the flags say of each role; nodes of a role differ in
  // name and ports.
  struct Roles {
    router::RouterServer::Options router;
    expert::ExpertServer::Options expert;
    attention::AttentionServer::Options attention;
    gateway::GatewayServer::Options gateway;
  };

  ServedMesh() = default;

  static absl::StatusOr<Roles> ReadRoles(const Options& options);
  absl::StatusOr<const service::Logger*> AddLogger(const Options& options,
                                                   const std::string& role,
                                                   const std::string& name);
  absl::Status StartRouter(const Options& options, Roles& roles);
  absl::Status StartExperts(const Options& options, Roles& roles);
  absl::Status StartAttention(const Options& options, Roles& roles);
  absl::Status StartGateway(const Options& options, Roles& roles);

  // Each outlives those below it.
  router::InProcessNetwork network_;
  std::vector<std::unique_ptr<service::Logger>> loggers_;
  std::unique_ptr<router::RouterServer> router_;
  std::vector<std::unique_ptr<expert::ExpertServer>> experts_;
  std::vector<std::unique_ptr<attention::AttentionServer>> attention_;
  std::unique_ptr<gateway::GatewayServer> gateway_;
};

}  // namespace mesh::cli
