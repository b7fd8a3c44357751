// SPDX-License-Identifier: Apache-2.0
#include "expert-node/router_client.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/time/clock.h"
#include "expert-node/expert_proto.h"
#include "service/process_stats.h"

namespace mesh::expert {
namespace {

// How often a node that leaves looks whether links are still open.
constexpr absl::Duration kLookAgain = absl::Milliseconds(100);
// An attention node that lost its link is back well within this.
constexpr absl::Duration kUnlinkedForGood = absl::Seconds(2);

}  // namespace

RouterClient::RouterClient(Parts parts,
                           const router::MembershipClient::Options& options)
    : parts_(std::move(parts)), client_(options, *this, *parts_.logger) {}

void RouterClient::Report(const HostingReport& report) {
  router::v1::JoinRequest request;
  *request.mutable_holdings() = ToProto(report);
  client_.Send(std::move(request));
}

bool RouterClient::Leave(absl::Duration limit) {
  const absl::Time deadline = absl::Now() + limit;
  {
    MutexLock lock(mutex_);
    leaving_ = true;
  }
  SendLeaving();
  absl::Time last_linked = absl::Now();
  while (true) {
    const absl::Time now = absl::Now();
    const bool linked = parts_.stats().transport.num_links > 0;
    if (linked) last_linked = now;
    MutexLock lock(mutex_);
    const bool unused =
        !linked && (!joined_ || now - last_linked >= kUnlinkedForGood);
    if (released_ || unused) return true;
    if (now >= deadline) return false;
    changed_.WaitFor(mutex_, std::min(deadline - now, kLookAgain));
  }
}

void RouterClient::SendLeaving() {
  router::v1::JoinRequest request;
  request.mutable_leaving();
  client_.Send(std::move(request));
}

router::v1::JoinHello RouterClient::MakeHello() {
  const ExpertIdentity& identity = *parts_.identity;
  router::v1::JoinHello hello;
  *hello.mutable_handshake() = ToHandshake(identity);
  *hello.mutable_node() = ToNodeInfo(identity, *parts_.node_id);
  for (const ExpertShard::Holding& holding : parts_.shard->Holdings()) {
    *hello.add_holdings() = ToProto(holding);
  }
  hello.set_capacity_experts(static_cast<uint64_t>(identity.hosting.capacity));
  *hello.mutable_model() = ToModelShape(identity);
  return hello;
}

router::v1::NodeStatus RouterClient::MakeStatus() {
  const ExpertStats stats = parts_.stats();
  bool leaving = false;
  {
    MutexLock lock(mutex_);
    leaving = leaving_;
  }
  router::v1::NodeStatus status;
  status.set_ready(parts_.follower->Settled() && !leaving);
  status.set_draining(leaving);
  status.set_activity(parts_.follower->Activity());
  status.set_rss_bytes(service::ReadProcessStats().rss_bytes);
  status.set_lane(stats.transport.lane);
  status.set_data_plane_bytes_sent(stats.transport.bytes_sent);
  status.set_data_plane_bytes_received(stats.transport.bytes_received);
  router::v1::ExpertStatus& expert = *status.mutable_expert();
  expert.set_experts_held(static_cast<uint64_t>(stats.num_experts));
  expert.set_rows_computed_total(
      static_cast<uint64_t>(stats.counters.rows_computed));
  expert.set_frames_answered_total(
      static_cast<uint64_t>(stats.counters.frames_answered));
  expert.set_weight_bytes(stats.weight_bytes);
  return status;
}

void RouterClient::OnWelcome(const router::v1::Welcome& welcome) {
  *parts_.node_id = welcome.node_id();
  bool leaving = false;
  {
    MutexLock lock(mutex_);
    welcomed_ = true;
    joined_ = true;
    leaving = leaving_;
  }
  if (leaving) SendLeaving();
}

void RouterClient::OnHosting(const router::v1::HostingOrder& order) {
  auto parsed = FromProto(order);
  const absl::Status status = parsed.ok()
                                  ? parts_.follower->Follow(*std::move(parsed))
                                  : parsed.status();
  if (!status.ok()) Refuse(order, status);
}

void RouterClient::Refuse(const router::v1::HostingOrder& order,
                          const absl::Status& reason) {
  parts_.logger->Warning(
      "order_refused",
      {{"epoch", order.epoch()}, {"reason", std::string(reason.message())}});
  HostingReport report{.order_epoch = order.epoch(),
                       .holdings = parts_.shard->Holdings(),
                       .status = reason};
  if (order.phase() == router::v1::HOSTING_PHASE_RETIRE) {
    report.phase = HostingPhase::kRetire;
  }
  Report(report);
}

void RouterClient::OnReleased() {
  MutexLock lock(mutex_);
  released_ = true;
  changed_.NotifyAll();
}

void RouterClient::OnDisconnected(const absl::Status& reason, bool final) {
  bool welcomed = false;
  {
    MutexLock lock(mutex_);
    joined_ = false;
    welcomed = welcomed_;
    changed_.NotifyAll();
  }
  // One that serves goes on: it is not the router that its work comes from.
  if (final && !welcomed) parts_.on_refused(reason);
}

}  // namespace mesh::expert
