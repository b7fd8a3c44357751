// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/clock.h"
#include "core/mutex.h"
#include "core/thread_pool.h"
#include "expert-node/expert_shard.h"
#include "expert-node/hosting_plan.h"
#include "expert-node/load_progress.h"
#include "router/placement/placement.h"

namespace mesh::expert {

// What became of an order.
struct HostingReport {
  uint64_t order_epoch = 0;
  HostingPhase phase = HostingPhase::kLoad;
  std::vector<ExpertShard::Holding> holdings = {};  // everything held now
  absl::Status status = {};  // why the order is not carried out, if it is not
  int num_loaded = 0;
  absl::Duration load_time = absl::ZeroDuration();
};

// Carries out hosting orders, one at a time, on the caller's thread and a pool
// of its own: the data plane's threads do nothing for it.
// Owned by one thread, but Activity() is thread-safe.
class HostingRunner {
 public:
  struct Options {
    HostingLimits limits = {};
    int num_threads = 1;
    // Of reads that fail with kUnavailable: the disk may come back.
    int max_attempts = 4;
    absl::Duration retry_pause = absl::Milliseconds(200);
    // Reads one expert; called from several threads.
    std::function<absl::StatusOr<std::shared_ptr<const ExpertWeights>>(
        const router::ExpertKey&)>
        read = nullptr;
    // Sleeps; may return early.
    std::function<void(absl::Duration)> pause = nullptr;
  };

  // `shard` and `clock` outlive the runner.
  HostingRunner(Options options, ExpertShard& shard, const Clock& clock);

  // Nothing if `cancelled` became true before the order was carried out; what
  // was loaded until then stays. A failed read does not keep the other experts
  // from being loaded; the report has the first error. Report errors: those of
  // PlanHosting and of `read`.
  std::optional<HostingReport> Run(const HostingOrder& order,
                                   const std::atomic<bool>& cancelled);

  // What it is doing, for people; empty if nothing.
  std::string Activity() const;

 private:
  struct Failure {
    router::ExpertKey key;
    absl::Status status;
  };

  absl::Status Load(std::span<const router::ExpertKey> keys,
                    const std::atomic<bool>& cancelled);
  // Tries each key once.
  std::vector<Failure> LoadOnce(std::span<const router::ExpertKey> keys,
                                const std::atomic<bool>& cancelled);
  absl::Status LoadOne(const router::ExpertKey& key);
  void SetProgress(const std::optional<LoadProgress>& progress);

  const Options options_;
  ExpertShard& shard_;
  const Clock& clock_;
  ThreadPool pool_;

  mutable Mutex mutex_;
  std::optional<LoadProgress> progress_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace mesh::expert
