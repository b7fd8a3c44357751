// SPDX-License-Identifier: Apache-2.0
#include "expert-node/placement_follower.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace mesh::expert {
namespace {

HostingRunner::Options WithPause(HostingRunner::Options options,
                                 std::function<void(absl::Duration)> pause) {
  options.pause = std::move(pause);
  return options;
}

}  // namespace

PlacementFollower::PlacementFollower(
    HostingRunner::Options options, ExpertShard& shard, const Clock& clock,
    std::function<void(const HostingReport&)> report)
    : report_(std::move(report)),
      runner_(
          WithPause(std::move(options), [this](absl::Duration d) { Pause(d); }),
          shard, clock) {}

PlacementFollower::~PlacementFollower() { Stop(); }

void PlacementFollower::Start() {
  thread_ = std::thread([this] { Loop(); });
}

void PlacementFollower::Stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    cancelled_ = true;
    changed_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
}

absl::Status PlacementFollower::Follow(HostingOrder order) {
  MutexLock lock(mutex_);
  if (order.epoch < newest_epoch_) {
    return absl::FailedPreconditionError(absl::StrFormat(
        "the order is of epoch %d, but this node follows epoch %d already",
        order.epoch, newest_epoch_));
  }
  newest_epoch_ = order.epoch;
  next_ = std::move(order);
  cancelled_ = true;
  changed_.NotifyAll();
  return absl::OkStatus();
}

bool PlacementFollower::Settled() const {
  MutexLock lock(mutex_);
  return settled_;
}

std::string PlacementFollower::Activity() const {
  std::string activity = runner_.Activity();
  if (!activity.empty()) return activity;
  MutexLock lock(mutex_);
  if (!last_status_.ok()) {
    return absl::StrCat("cannot load: ", std::string(last_status_.message()));
  }
  return settled_ ? "" : "waiting for the router's first order";
}

void PlacementFollower::Loop() {
  while (const std::optional<HostingOrder> order = Next()) {
    if (const auto report = runner_.Run(*order, cancelled_)) Finish(*report);
  }
}

std::optional<HostingOrder> PlacementFollower::Next() {
  MutexLock lock(mutex_);
  while (!stopping_ && !next_.has_value()) changed_.Wait(mutex_);
  if (stopping_) return std::nullopt;
  cancelled_ = false;
  return std::exchange(next_, std::nullopt);
}

void PlacementFollower::Finish(const HostingReport& report) {
  {
    MutexLock lock(mutex_);
    last_status_ = report.status;
    if (report.status.ok()) settled_ = true;
  }
  report_(report);
}

void PlacementFollower::Pause(absl::Duration duration) {
  MutexLock lock(mutex_);
  if (!cancelled_) changed_.WaitFor(mutex_, duration);
}

}  // namespace mesh::expert
