// SPDX-License-Identifier: Apache-2.0
#include "attention-node/router_client.h"

#include <utility>

#include "attention-node/identity_proto.h"
#include "router/placement/placement_proto.h"
#include "service/process_stats.h"

namespace mesh::attention {
namespace {

std::vector<ExpertPeer> PeersOf(const router::PlacementTable& table) {
  std::vector<ExpertPeer> peers;
  for (const common::v1::NodeInfo& node : table.nodes) {
    peers.push_back({.node = NodeId{node.node_id()},
                     .incarnation = node.incarnation(),
                     .name = node.name(),
                     .address = node.grpc_address()});
  }
  return peers;
}

}  // namespace

RouterClient::RouterClient(Parts parts,
                           const router::MembershipClient::Options& options)
    : parts_(std::move(parts)), client_(options, *this, *parts_.logger) {}

void RouterClient::SetActivity(const std::string& activity) {
  const MutexLock lock(mutex_);
  activity_ = activity;
}

void RouterClient::SetReady(bool ready) {
  const MutexLock lock(mutex_);
  ready_ = ready;
}

void RouterClient::OnAdopted(uint64_t epoch) {
  {
    const MutexLock lock(mutex_);
    if (latest_.epoch() == epoch) in_use_ = latest_;
  }
  router::v1::JoinRequest request;
  request.mutable_adopted()->set_epoch(epoch);
  client_.Send(std::move(request));
}

void RouterClient::Leave() {
  {
    const MutexLock lock(mutex_);
    leaving_ = true;
  }
  router::v1::JoinRequest request;
  request.mutable_leaving();
  client_.Send(std::move(request));
}

router::v1::JoinHello RouterClient::MakeHello() {
  const AttentionIdentity& identity = *parts_.identity;
  // A new router counts from what it is told.
  reported_.clear();
  router::v1::JoinHello hello;
  *hello.mutable_handshake() = HandshakeOf(identity);
  *hello.mutable_node() = NodeInfoOf(identity);
  router::v1::ModelShape& model = *hello.mutable_model();
  for (const LayerId layer : identity.moe_layers) {
    model.add_moe_layers(layer.value);
  }
  model.set_num_experts(static_cast<uint32_t>(identity.wire.num_experts));
  model.set_num_groups(static_cast<uint32_t>(identity.wire.num_groups));
  const MutexLock lock(mutex_);
  if (in_use_.epoch() != 0) *hello.mutable_placement() = in_use_;
  return hello;
}

router::v1::NodeStatus RouterClient::MakeStatus() {
  const GatewayConnections::Load load = parts_.connections->GetLoad();
  const router::TransportStats lanes = parts_.data_plane->Stats();
  router::v1::NodeStatus status;
  status.set_draining(load.draining);
  status.set_rss_bytes(service::ReadProcessStats().rss_bytes);
  status.set_lane(lanes.lane);
  status.set_data_plane_bytes_sent(lanes.bytes_sent);
  status.set_data_plane_bytes_received(lanes.bytes_received);
  router::v1::AttentionStatus& attention = *status.mutable_attention();
  const EngineCounters& counters = load.counters;
  attention.set_streams_running(static_cast<uint32_t>(counters.running));
  attention.set_streams_waiting(static_cast<uint32_t>(counters.waiting));
  attention.set_kv_blocks_total(static_cast<uint64_t>(counters.total_blocks));
  attention.set_kv_blocks_free(static_cast<uint64_t>(counters.free_blocks));
  attention.set_emitted_tokens_total(
      static_cast<uint64_t>(counters.emitted_tokens));
  attention.set_steps_total(static_cast<uint64_t>(counters.steps));
  const MutexLock lock(mutex_);
  status.set_ready(ready_);
  status.set_activity(activity_);
  return status;
}

router::v1::LoadReport RouterClient::MakeLoadReport() {
  const std::vector<int64_t> tokens =
      parts_.links->GetSnapshot().tokens_per_expert;
  const size_t num_experts =
      static_cast<size_t>(parts_.identity->wire.num_experts);
  reported_.resize(tokens.size());
  router::v1::LoadReport report;
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i] == reported_[i]) continue;
    router::v1::ExpertLoad* const load = report.add_experts();
    load->set_layer(static_cast<uint32_t>(i / num_experts));
    load->set_expert(static_cast<uint32_t>(i % num_experts));
    load->set_tokens_total(static_cast<uint64_t>(tokens[i]));
  }
  reported_ = tokens;
  return report;
}

void RouterClient::OnWelcome(const router::v1::Welcome& /*welcome*/) {
  bool leaving = false;
  {
    const MutexLock lock(mutex_);
    welcomed_ = true;
    leaving = leaving_;
  }
  if (leaving) Leave();
}

void RouterClient::OnPlacement(const router::v1::Placement& placement) {
  absl::StatusOr<router::PlacementTable> table = router::FromProto(placement);
  absl::Status status = table.status();
  if (status.ok()) {
    {
      const MutexLock lock(mutex_);
      latest_ = placement;
    }
    std::vector<ExpertPeer> peers = PeersOf(*table);
    status = parts_.dialer->SetPlacement(std::move(table->placement),
                                         std::move(peers));
  }
  if (status.ok()) return;
  parts_.logger->Warning("placement_refused",
                         {{"epoch", uint64_t{placement.epoch()}},
                          {"error", std::string(status.message())}});
}

void RouterClient::OnDisconnected(const absl::Status& reason, bool final) {
  bool welcomed = false;
  {
    const MutexLock lock(mutex_);
    welcomed = welcomed_;
  }
  if (final && !welcomed && parts_.on_refused) parts_.on_refused(reason);
}

}  // namespace mesh::attention
