// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/clock.h"
#include "core/mutex.h"
#include "expert-node/expert_shard.h"
#include "expert-node/hosting_plan.h"
#include "expert-node/hosting_runner.h"

namespace mesh::expert {

// Keeps a shard as the router's orders say, on a thread of its own. Only the
// newest order counts: it ends the one under way. Thread-safe.
class PlacementFollower {
 public:
  // `options.pause` is the follower's own. `report` hears of every order that
  // was carried out or failed, on the follower's thread; it must not call
  // Stop(). `shard` and `clock` outlive the follower, and nobody else changes
  // what the shard holds.
  PlacementFollower(HostingRunner::Options options, ExpertShard& shard,
                    const Clock& clock,
                    std::function<void(const HostingReport&)> report);
  ~PlacementFollower();

  void Start();
  // Ends the order under way. Idempotent.
  void Stop();

  // Errors: kFailedPrecondition for an epoch below one that was followed
  // already; nothing changes then.
  absl::Status Follow(HostingOrder order);

  // True once an order has been carried out.
  bool Settled() const;
  // What it is doing or waits for, for people; empty if nothing.
  std::string Activity() const;

 private:
  void Loop();
  // Waits for an order; nothing if the follower is to stop.
  std::optional<HostingOrder> Next();
  void Finish(const HostingReport& report);
  void Pause(absl::Duration duration);

  const std::function<void(const HostingReport&)> report_;
  HostingRunner runner_;
  std::thread thread_;

  // Ends the order under way. Raised under `mutex_`.
  std::atomic<bool> cancelled_{false};
  mutable Mutex mutex_;
  CondVar changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t newest_epoch_ ABSL_GUARDED_BY(mutex_) = 0;
  std::optional<HostingOrder> next_ ABSL_GUARDED_BY(mutex_);
  bool settled_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status last_status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace mesh::expert
