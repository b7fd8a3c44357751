// SPDX-License-Identifier: Apache-2.0
#include "cli/node_client.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <chrono>
#include <memory>

#include "absl/time/time.h"
#include "cli/connect_client.h"
#include "core/status_macros.h"
#include "mesh/attention/v1/attention_service.grpc.pb.h"
#include "mesh/expert/v1/expert_service.grpc.pb.h"
#include "service/grpc_status.h"

namespace mesh::cli {
namespace {

constexpr absl::Duration kConnectLimit = absl::Seconds(3);
constexpr std::chrono::seconds kStatsLimit{5};
// Probes wait for steps and cross every link several times.
constexpr std::chrono::seconds kProbeLimit{30};

absl::Status GetExpertStats(const MeshTarget& node,
                            expert::v1::GetStatsResponse* stats) {
  ASSIGN_OR_RETURN(const auto channel, Connect(node, kConnectLimit));
  const auto stub = expert::v1::ExpertService::NewStub(channel);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kStatsLimit);
  expert::v1::GetStatsRequest request;
  request.set_with_holdings(true);
  return service::FromGrpc(stub->GetStats(&context, request, stats));
}

absl::Status Probe(const MeshTarget& node,
                   attention::v1::ProbeExpertNodesResponse* response) {
  ASSIGN_OR_RETURN(const auto channel, Connect(node, kConnectLimit));
  const auto stub = attention::v1::AttentionService::NewStub(channel);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kProbeLimit);
  return service::FromGrpc(stub->ProbeExpertNodes(&context, {}, response));
}

}  // namespace

ExpertNodeReply AskExpertNode(const MeshTarget& node) {
  ExpertNodeReply reply;
  expert::v1::GetStatsResponse stats;
  reply.outcome = GetExpertStats(node, &stats);
  if (!reply.outcome.ok()) return reply;
  for (const common::v1::Holding& holding : stats.holdings()) {
    reply.digests[{holding.key().layer(), holding.key().expert()}] =
        holding.digest();
  }
  reply.frames_corrupt = stats.frames_corrupt();
  reply.hellos_rejected = stats.hellos_rejected();
  return reply;
}

AttentionNodeReply AskAttentionNode(const MeshTarget& node) {
  AttentionNodeReply reply;
  attention::v1::ProbeExpertNodesResponse response;
  reply.outcome = Probe(node, &response);
  for (const attention::v1::LinkProbe& probe : response.probes()) {
    reply.probes.push_back(
        {probe.node_name(), probe.lane(), probe.round_trip_us_median(),
         probe.round_trip_us_p99(), probe.bytes_per_second(), probe.error()});
  }
  return reply;
}

}  // namespace mesh::cli
