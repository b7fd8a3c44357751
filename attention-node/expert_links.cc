// SPDX-License-Identifier: Apache-2.0
#include "attention-node/expert_links.h"

#include <algorithm>
#include <optional>
#include <span>
#include <utility>

#include "core/check.h"
#include "core/status_macros.h"

namespace mesh::attention {
namespace {

constexpr absl::Duration kTokensInterval = absl::Milliseconds(500);
constexpr absl::Duration kIdleWait = absl::Seconds(1);
constexpr absl::Duration kProbeTimeout = absl::Milliseconds(500);
constexpr int kSmallProbes = 64;
constexpr size_t kSmallProbeBytes = 64;
constexpr int kLargeProbes = 8;

}  // namespace

absl::StatusOr<std::unique_ptr<ExpertLinks>> ExpertLinks::Create(
    router::Dispatcher::Options options, router::Transport& transport,
    const Clock& clock, Listener& listener) {
  std::unique_ptr<ExpertLinks> links(
      new ExpertLinks(transport, clock, listener));
  ExpertLinks* const self = links.get();
  options.idle = [self](absl::Duration wait) {
    // What came may have made rows due, and `wait` does not know.
    if (!self->Drain()) self->transport_.Wait(wait);
  };
  options.node_lost = [self](NodeId node, const absl::Status& reason) {
    self->listener_.OnLost(node, reason);
  };
  options.pong = [self](PeerId, uint64_t cookie) { self->last_pong_ = cookie; };
  ASSIGN_OR_RETURN(links->dispatcher_,
                   router::Dispatcher::Create(options, transport, clock));
  return links;
}

ExpertLinks::~ExpertLinks() { Stop(); }

void ExpertLinks::Stop() {
  std::vector<ProbeCommand> probes;
  {
    const MutexLock lock(mutex_);
    stopped_ = true;
    probes.swap(probes_);
  }
  for (const ProbeCommand& probe : probes) probe.done({});
}

void ExpertLinks::Post(Command command) {
  {
    const MutexLock lock(mutex_);
    commands_.push_back(std::move(command));
  }
  Wake();
}

void ExpertLinks::SetPlacement(PlacementPtr placement) {
  Post(std::move(placement));
}

void ExpertLinks::Connect(NodeId node, std::string address) {
  Post(ConnectCommand{node, std::move(address)});
}

void ExpertLinks::Abort(const absl::Status& status) {
  MESH_CHECK(!status.ok());
  Post(status);
}

void ExpertLinks::Probe(
    size_t num_bytes, const std::function<void(std::vector<LinkProbe>)>& done) {
  if (AddProbe({num_bytes, done})) {
    Wake();
  } else {
    done({});
  }
}

bool ExpertLinks::AddProbe(ProbeCommand probe) {
  const MutexLock lock(mutex_);
  if (stopped_) return false;
  probes_.push_back(std::move(probe));
  return true;
}

ExpertLinks::Snapshot ExpertLinks::GetSnapshot() const {
  const MutexLock lock(mutex_);
  return snapshot_;
}

void ExpertLinks::BeforeStep() {
  Drain();
  dispatcher_->Poll();
  if (std::exchange(adoption_to_tell_, false)) {
    listener_.OnAdopted(placement_->Epoch());
  }
  RunProbes();
}

void ExpertLinks::AfterStep(bool more) {
  // A table that came during the step: nothing is under way any more.
  if (std::exchange(adoption_to_tell_, false)) {
    listener_.OnAdopted(placement_->Epoch());
  }
  const absl::Time now = clock_.Now();
  const bool count = !more || now - tokens_at_ >= kTokensInterval;
  if (count) tokens_at_ = now;
  const MutexLock lock(mutex_);
  snapshot_.counters = dispatcher_->Counters();
  snapshot_.epoch = placement_ == nullptr ? 0 : placement_->Epoch();
  if (!count) return;
  snapshot_.answer_times = dispatcher_->TimesOfNodes();
  const std::span<const int64_t> tokens = dispatcher_->TokensPerExpert();
  snapshot_.tokens_per_expert.assign(tokens.begin(), tokens.end());
}

void ExpertLinks::Idle() {
  BeforeStep();
  AfterStep(false);
  transport_.Wait(kIdleWait);
}

bool ExpertLinks::Drain() {
  std::vector<Command> commands;
  {
    const MutexLock lock(mutex_);
    commands.swap(commands_);
  }
  for (const Command& command : commands) {
    std::visit([this](const auto& one) { Do(one); }, command);
  }
  return !commands.empty();
}

void ExpertLinks::Do(const PlacementPtr& placement) {
  MESH_CHECK(dispatcher_->SetPlacement(placement).ok());
  placement_ = placement;
  adoption_to_tell_ = true;
}

void ExpertLinks::Do(const ConnectCommand& command) {
  const absl::StatusOr<PeerId> peer = transport_.Connect(command.address);
  if (!peer.ok()) {
    listener_.OnLost(command.node, peer.status());
    return;
  }
  dispatcher_->SetPeer(command.node, *peer);
  listener_.OnConnected(command.node);
}

void ExpertLinks::Do(const absl::Status& aborted) {
  dispatcher_->Abort(aborted);
}

void ExpertLinks::RunProbes() {
  std::vector<ProbeCommand> commands;
  {
    const MutexLock lock(mutex_);
    commands.swap(probes_);
  }
  for (const ProbeCommand& command : commands) {
    std::vector<LinkProbe> probes;
    if (placement_ != nullptr) {
      for (const NodeId node : placement_->Nodes()) {
        probes.push_back(ProbeNode(node, command.num_bytes));
      }
    }
    command.done(std::move(probes));
  }
}

LinkProbe ExpertLinks::ProbeNode(NodeId node, size_t num_bytes) {
  LinkProbe probe{.node = node};
  std::vector<double> seconds;
  double large_seconds = 0;
  for (int i = 0; i < kSmallProbes + kLargeProbes; ++i) {
    const std::optional<PeerId> peer = dispatcher_->PeerOf(node);
    const bool small = i < kSmallProbes;
    const absl::StatusOr<double> took =
        peer.has_value()
            ? RoundTrip(*peer, small ? kSmallProbeBytes : num_bytes)
            : absl::UnavailableError("there is no link");
    if (!took.ok()) {
      probe.error = std::string(took.status().message());
      return probe;
    }
    if (small) {
      seconds.push_back(*took);
    } else {
      large_seconds += *took;
    }
  }
  std::sort(seconds.begin(), seconds.end());
  probe.round_trip_us_median = seconds[kSmallProbes / 2] * 1e6;
  probe.round_trip_us_p99 = seconds[kSmallProbes * 99 / 100] * 1e6;
  const double large_bytes =
      2.0 * kLargeProbes * static_cast<double>(num_bytes);
  if (large_seconds > 0) probe.bytes_per_second = large_bytes / large_seconds;
  return probe;
}

absl::StatusOr<double> ExpertLinks::RoundTrip(PeerId peer, size_t num_bytes) {
  const absl::Time start = clock_.Now();
  const uint64_t cookie = ++last_cookie_;
  RETURN_IF_ERROR(transport_.Ping(peer, cookie, num_bytes));
  while (true) {
    dispatcher_->Poll();
    const absl::Time now = clock_.Now();
    if (last_pong_ == cookie) return absl::ToDoubleSeconds(now - start);
    if (now - start >= kProbeTimeout) {
      return absl::DeadlineExceededError("the node does not answer");
    }
    transport_.Wait(kProbeTimeout - (now - start));
  }
}

}  // namespace mesh::attention
