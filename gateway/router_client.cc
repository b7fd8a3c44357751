// SPDX-License-Identifier: Apache-2.0
#include "gateway/router_client.h"

#include "service/handshake_proto.h"
#include "service/process_stats.h"

namespace mesh::gateway {

RouterClient::RouterClient(const Options& options, AttentionPool& pool,
                           const service::Logger& logger)
    : options_(options),
      pool_(pool),
      logger_(logger),
      membership_(options.membership, *this, logger) {}

router::v1::JoinHello RouterClient::MakeHello() {
  router::v1::JoinHello hello;
  *hello.mutable_handshake() = service::MakeHandshake();
  *hello.mutable_node() = options_.self;
  return hello;
}

router::v1::NodeStatus RouterClient::MakeStatus() {
  router::v1::NodeStatus status;
  status.set_ready(options_.is_ready());
  status.set_draining(options_.is_draining());
  if (!status.ready()) status.set_activity("waiting for an attention node");
  status.set_rss_bytes(service::ReadProcessStats().rss_bytes);
  return status;
}

void RouterClient::OnAttentionNodes(const router::v1::AttentionNodes& nodes) {
  std::vector<AttentionAddress> addresses;
  for (const common::v1::NodeInfo& node : nodes.nodes()) {
    addresses.push_back({node.name(), node.grpc_address()});
  }
  pool_.SetNodes(addresses);
}

void RouterClient::OnWelcome(const router::v1::Welcome& welcome) {
  last_problem_.clear();
  logger_.Info("joined the router", {{"node_id", uint64_t{welcome.node_id()}},
                                     {"term", uint64_t{welcome.term()}}});
}

void RouterClient::OnDisconnected(const absl::Status& reason, bool final) {
  const std::string problem = reason.ToString();
  if (problem == last_problem_) return;
  last_problem_ = problem;
  logger_.Warning(final ? "refused by the router" : "without the router",
                  {{"reason", problem}});
}

}  // namespace mesh::gateway
