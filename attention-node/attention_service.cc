// SPDX-License-Identifier: Apache-2.0
#include "attention-node/attention_service.h"

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "attention-node/identity_proto.h"
#include "attention-node/serve_stream_service.h"
#include "attention-node/transcript_proto.h"
#include "service/grpc_status.h"
#include "service/peer_identity.h"

namespace mesh::attention {
namespace {

constexpr uint32_t kDefaultProbeBytes = 1 << 20;
constexpr uint32_t kMaxProbeBytes = 4 << 20;

// Ends a stream that is not to begin.
class RefusedStream final
    : public grpc::ServerBidiReactor<v1::ServeRequest, v1::ServeResponse> {
 public:
  explicit RefusedStream(const absl::Status& status) {
    Finish(service::ToGrpc(status));
  }
  void OnDone() override { delete this; }
};

v1::DispatchStats ToProto(const router::DispatchCounters& counters) {
  const auto count = [](int64_t value) { return static_cast<uint64_t>(value); };
  v1::DispatchStats stats;
  stats.set_frames_sent(count(counters.frames_sent));
  stats.set_bytes_sent(count(counters.bytes_sent));
  stats.set_frames_received(count(counters.frames_received));
  stats.set_bytes_received(count(counters.bytes_received));
  stats.set_frames_resent(count(counters.frames_resent));
  stats.set_not_held(count(counters.not_held));
  stats.set_overloaded(count(counters.overloaded));
  stats.set_dropped_corrupt(count(counters.dropped_corrupt));
  stats.set_dropped_foreign(count(counters.dropped_foreign));
  stats.set_dropped_late(count(counters.dropped_late));
  stats.set_dropped_duplicate(count(counters.dropped_duplicate));
  return stats;
}

}  // namespace

void AttentionService::SetIdentity(
    std::shared_ptr<const AttentionIdentity> identity) {
  const MutexLock lock(mutex_);
  identity_ = std::move(identity);
}

std::shared_ptr<const AttentionIdentity> AttentionService::Identity() const {
  const MutexLock lock(mutex_);
  return identity_;
}

grpc::ServerBidiReactor<v1::ServeRequest, v1::ServeResponse>*
AttentionService::Serve(grpc::CallbackServerContext* context) {
  absl::Status allowed =
      service::Authorize(*context, {service::Role::kGateway});
  const std::shared_ptr<const AttentionIdentity> identity = Identity();
  if (allowed.ok() && identity == nullptr) {
    allowed = absl::UnavailableError("the attention node is starting");
  }
  if (!allowed.ok()) return new RefusedStream(allowed);
  return ServeStream::Start(parts_, identity, context);
}

grpc::ServerUnaryReactor* AttentionService::GetStats(
    grpc::CallbackServerContext* context,
    const v1::GetStatsRequest* /*request*/, v1::GetStatsResponse* response) {
  const GatewayConnections::Load load = parts_.connections.GetLoad();
  const ExpertLinks::Snapshot snapshot = parts_.links.GetSnapshot();
  const router::TransportStats lanes = parts_.data_plane.Stats();
  const std::shared_ptr<const AttentionIdentity> identity = Identity();
  if (identity != nullptr) *response->mutable_node() = NodeInfoOf(*identity);
  *response->mutable_load() = attention::ToProto(load);
  response->set_steps(static_cast<uint64_t>(load.counters.steps));
  response->set_emitted_tokens(
      static_cast<uint64_t>(load.counters.emitted_tokens));
  response->set_submitted(static_cast<uint64_t>(load.counters.submitted));
  response->set_finished(static_cast<uint64_t>(load.counters.finished));
  response->set_preemptions(static_cast<uint64_t>(load.counters.preemptions));
  response->set_placement_epoch(snapshot.epoch);
  *response->mutable_dispatch() = ToProto(snapshot.counters);
  for (const ExpertDialer::PeerState& state : parts_.dialer.Peers()) {
    v1::LinkStats* const link = response->add_links();
    link->set_node_id(state.peer.node.value);
    link->set_node_name(state.peer.name);
    link->set_connected(state.connected);
    if (identity != nullptr) link->set_transport(identity->transport);
    link->set_lane(lanes.lane);
  }
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

grpc::ServerUnaryReactor* AttentionService::ProbeExpertNodes(
    grpc::CallbackServerContext* context,
    const v1::ProbeExpertNodesRequest* request,
    v1::ProbeExpertNodesResponse* response) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  const uint32_t num_bytes =
      request->num_bytes() == 0 ? kDefaultProbeBytes : request->num_bytes();
  absl::Status allowed = service::Authorize(
      *context, {service::Role::kOperator, service::Role::kRouter,
                 service::Role::kGateway});
  if (allowed.ok() && num_bytes > kMaxProbeBytes) {
    allowed = absl::InvalidArgumentError(absl::StrCat(
        "num_bytes is ", num_bytes, ", expected at most ", kMaxProbeBytes));
  }
  if (!allowed.ok()) {
    reactor->Finish(service::ToGrpc(allowed));
    return reactor;
  }
  parts_.links.Probe(
      num_bytes, [this, reactor, response](std::vector<LinkProbe> probes) {
        const auto peers = parts_.dialer.Peers();
        const std::string lane = parts_.data_plane.Stats().lane;
        for (LinkProbe& probe : probes) {
          v1::LinkProbe* const one = response->add_probes();
          for (const ExpertDialer::PeerState& state : peers) {
            if (state.peer.node == probe.node) {
              one->set_node_name(state.peer.name);
            }
          }
          one->set_node_id(probe.node.value);
          one->set_lane(lane);
          one->set_round_trip_us_median(probe.round_trip_us_median);
          one->set_round_trip_us_p99(probe.round_trip_us_p99);
          one->set_bytes_per_second(probe.bytes_per_second);
          one->set_error(std::move(probe.error));
        }
        reactor->Finish(grpc::Status::OK);
      });
  return reactor;
}

}  // namespace mesh::attention
