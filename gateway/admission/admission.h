// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/clock.h"
#include "core/mutex.h"
#include "gateway/admission/admission_stats.h"
#include "gateway/admission/demand.h"
#include "gateway/admission/fair_queue.h"
#include "gateway/admission/ticket.h"
#include "gateway/admission/wait_estimate.h"

namespace mesh::gateway {

// Decides which requests run, which wait and which are refused, so that the
// mesh is busy and never late: docs/admission.md. What it has admitted it never
// takes back. Thread-safe. Outlives its tickets and places.
class Admission {
 public:
  struct Options {
    DemandSize max_waiting = {4096, 8'000'000, size_t{256} << 20};
    absl::Duration max_wait = absl::Seconds(5);
  };
  // A ticket, or why there is none: kResourceExhausted, rate_limit_exceeded or
  // overloaded; kUnavailable, shutting_down or unavailable; kDeadlineExceeded.
  // All but the last say when another try may succeed.
  using Callback = std::function<void(absl::StatusOr<Ticket>)>;

  // `clock` outlives it. Nothing runs before SetCapacity.
  Admission(const Options& options, const Clock& clock);
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;

  // Calls `callback` once, without a lock of its: perhaps before it returns,
  // perhaps on a thread that ends another stream, one at a time for all. It
  // must not wait.
  [[nodiscard]] Place Ask(Demand demand, Callback callback);

  // Streams at the same time. Fewer than run now: none starts until enough have
  // ended.
  void SetCapacity(int num_streams);
  // Refuses what waits, and whatever comes.
  void StartDraining();
  // Ends what has waited for too long. Every 100 ms or so.
  void Tick();

  AdmissionStats Stats() const;
  RateLimits LimitsOf(const Tenant& tenant) const;

 private:
  friend class Ticket;
  friend class Place;

  // A callback to be called once the lock is free.
  struct Delivery {
    uint64_t id = 0;
    Callback callback;
    absl::StatusOr<Ticket> result;
  };

  void Release(Ticket& ticket);
  void Leave(uint64_t id);
  void Deliver();
  std::optional<Delivery> NextDelivery();

  void Admit(WaitingDemand waiting, absl::Time now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Takes back what the request was charged.
  void Drop(WaitingDemand waiting, ShedReason reason, absl::Time now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Start(TenantAccount& account, WaitingDemand waiting, absl::Time now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void StartNext(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Refuse(WaitingDemand waiting, ShedReason reason,
              absl::Duration retry_after) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Nothing: it may wait, and has room.
  std::optional<ShedReason> CheckQueue(TenantAccount& account,
                                       const Demand& demand, absl::Time now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool MakeRoom(TenantAccount& account, const Demand& demand, absl::Time now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Until the tenant's own streams, and those of all, leave room for one more
  // of it.
  absl::Duration OwnWait(const TenantAccount& account, int priority,
                         absl::Time now) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Duration TurnWait(const TenantAccount& account, int priority,
                          absl::Time now) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // As a hint: neither nothing nor for ever.
  absl::Duration RetryAfter(const TenantAccount& account, int priority,
                            absl::Time now) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Duration WaitLimit(TenantAccount& account, absl::Time now) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;
  const Clock& clock_;

  mutable Mutex mutex_;
  FairQueue queue_ ABSL_GUARDED_BY(mutex_);
  WaitEstimate estimate_ ABSL_GUARDED_BY(mutex_);
  RecentMean completion_tokens_ ABSL_GUARDED_BY(mutex_);
  AdmissionStats stats_ ABSL_GUARDED_BY(mutex_);
  uint64_t next_id_ ABSL_GUARDED_BY(mutex_) = 1;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Time next_forget_ ABSL_GUARDED_BY(mutex_);
  std::deque<Delivery> deliveries_ ABSL_GUARDED_BY(mutex_);
  bool delivering_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace mesh::gateway
