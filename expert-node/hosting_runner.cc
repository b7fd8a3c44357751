// SPDX-License-Identifier: Apache-2.0
#include "expert-node/hosting_runner.h"

#include <utility>

#include "core/check.h"
#include "core/status_macros.h"

namespace mesh::expert {

HostingRunner::HostingRunner(Options options, ExpertShard& shard,
                             const Clock& clock)
    : options_(std::move(options)),
      shard_(shard),
      clock_(clock),
      pool_(options_.num_threads) {}

std::optional<HostingReport> HostingRunner::Run(
    const HostingOrder& order, const std::atomic<bool>& cancelled) {
  HostingReport report{.order_epoch = order.epoch, .phase = order.phase};
  std::vector<router::ExpertKey> held;
  for (const ExpertShard::Holding& holding : shard_.Holdings()) {
    held.push_back(holding.key);
  }
  const auto plan = PlanHosting(order, options_.limits, held);
  report.status = plan.status();
  if (plan.ok()) {
    for (const router::ExpertKey& key : plan->unload) {
      MESH_CHECK(shard_.Unload(key.layer, key.expert).ok());
    }
    const absl::Time started = clock_.Now();
    report.status = Load(plan->load, cancelled);
    report.load_time = clock_.Now() - started;
    if (cancelled) return std::nullopt;
  }
  report.holdings = shard_.Holdings();
  if (plan.ok()) {
    report.num_loaded = static_cast<int>(report.holdings.size() +
                                         plan->unload.size() - held.size());
  }
  return report;
}

absl::Status HostingRunner::Load(std::span<const router::ExpertKey> keys,
                                 const std::atomic<bool>& cancelled) {
  if (keys.empty()) return absl::OkStatus();
  SetProgress(LoadProgress{.total = static_cast<int>(keys.size()),
                           .started = clock_.Now()});
  absl::Status error;
  std::vector<router::ExpertKey> left(keys.begin(), keys.end());
  for (int attempt = 1; !left.empty() && !cancelled; ++attempt) {
    const std::vector<Failure> failures = LoadOnce(left, cancelled);
    left.clear();
    for (const Failure& failure : failures) {
      const bool again = absl::IsUnavailable(failure.status) &&
                         attempt < options_.max_attempts;
      if (again) {
        left.push_back(failure.key);
      } else {
        error.Update(failure.status);
      }
    }
    if (!left.empty()) options_.pause(options_.retry_pause * attempt);
  }
  SetProgress(std::nullopt);
  return error;
}

std::vector<HostingRunner::Failure> HostingRunner::LoadOnce(
    std::span<const router::ExpertKey> keys,
    const std::atomic<bool>& cancelled) {
  std::vector<absl::Status> statuses(keys.size());
  pool_.ParallelFor(static_cast<int>(keys.size()), [&](int i) {
    if (cancelled) return;
    const size_t k = static_cast<size_t>(i);
    statuses[k] = LoadOne(keys[k]);
    if (!statuses[k].ok()) return;
    MutexLock lock(mutex_);
    ++progress_->done;
  });
  std::vector<Failure> failures;
  for (size_t k = 0; k < keys.size(); ++k) {
    if (!statuses[k].ok()) failures.push_back({keys[k], statuses[k]});
  }
  return failures;
}

absl::Status HostingRunner::LoadOne(const router::ExpertKey& key) {
  ASSIGN_OR_RETURN(const auto weights, options_.read(key));
  return shard_.Load(key.layer, key.expert, weights);
}

void HostingRunner::SetProgress(const std::optional<LoadProgress>& progress) {
  MutexLock lock(mutex_);
  progress_ = progress;
}

std::string HostingRunner::Activity() const {
  MutexLock lock(mutex_);
  return progress_.has_value() ? Describe(*progress_, clock_.Now()) : "";
}

}  // namespace mesh::expert
