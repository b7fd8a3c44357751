// SPDX-License-Identifier: Apache-2.0
#include "gateway/admission/admission.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "gateway/admission/refusal.h"

namespace mesh::gateway {
namespace {

constexpr absl::Duration kForgetInterval = absl::Minutes(1);
// Of hints.
constexpr absl::Duration kShortestHint = absl::Milliseconds(10);
constexpr absl::Duration kLongestHint = absl::Minutes(1);
constexpr absl::Duration kUnknownHint = absl::Seconds(1);
// Of the estimate. Others' turns come at random, so true waits are spread
// around it. What counts is how far a hint is off in relation to the wait, and
// that is least for one somewhat short; who comes early only stands in the
// queue.
constexpr double kHintShare = 0.85;
// How long a standing queue may make wait, even where streams are short.
constexpr absl::Duration kShortestWaitLimit = absl::Milliseconds(100);

bool Fits(const DemandSize& size, const DemandSize& limits) {
  return size.count <= limits.count && size.tokens <= limits.tokens &&
         size.bytes <= limits.bytes;
}

RateLimit ViewOf(const TokenBucket& bucket, absl::Time now) {
  if (!bucket.IsLimited()) return {};
  const double level = std::max(0.0, bucket.Level(now));
  return {.limit = static_cast<int64_t>(bucket.PerMinute()),
          .remaining = static_cast<int64_t>(std::floor(level)),
          .until_full = bucket.WaitFor(bucket.PerMinute(), now)};
}

}  // namespace

Admission::Admission(const Options& options, const Clock& clock)
    : options_(options),
      clock_(clock),
      next_forget_(clock.Now() + kForgetInterval) {}

Place Admission::Ask(Demand demand, Callback callback) {
  const absl::Time now = clock_.Now();
  uint64_t id = 0;
  {
    MutexLock lock(mutex_);
    id = next_id_++;
    Admit({.id = id,
           .demand = std::move(demand),
           .callback = std::move(callback),
           .asked = now},
          now);
  }
  Deliver();
  return {this, id};
}

void Admission::Admit(WaitingDemand waiting, absl::Time now) {
  if (draining_) {
    return Refuse(std::move(waiting), ShedReason::kDraining, kUnknownHint);
  }
  const Demand& demand = waiting.demand;
  if (demand.deadline <= now) {
    return Refuse(std::move(waiting), ShedReason::kDeadline, kUnknownHint);
  }
  TenantAccount& account = queue_.AccountOf(demand.tenant, now);
  const double completion_tokens = account.ExpectedCompletionTokens(demand);
  const absl::Duration request_wait = account.Requests().WaitFor(1, now);
  const absl::Duration token_wait = account.Tokens().WaitFor(
      static_cast<double>(demand.num_prompt_tokens) + completion_tokens, now);
  if (std::max(request_wait, token_wait) > absl::ZeroDuration()) {
    const ShedReason reason = request_wait >= token_wait
                                  ? ShedReason::kRequestRate
                                  : ShedReason::kTokenRate;
    return Refuse(std::move(waiting), reason,
                  std::max(request_wait, token_wait));
  }
  // Then nothing of this tenant waits: it would have started.
  const bool starts = stats_.num_running < stats_.capacity && account.MayRun();
  if (!starts) {
    if (const auto reason = CheckQueue(account, demand, now)) {
      const absl::Duration hint = RetryAfter(account, demand.priority, now);
      return Refuse(std::move(waiting), *reason, hint);
    }
  }
  waiting.charged_completion_tokens = completion_tokens;
  account.Charge(demand, completion_tokens, now);
  if (starts) return Start(account, std::move(waiting), now);
  if (queue_.Waiting().count == 0) estimate_.NoteFull(now);
  queue_.Push(account, std::move(waiting));
}

std::optional<ShedReason> Admission::CheckQueue(TenantAccount& account,
                                                const Demand& demand,
                                                absl::Time now) {
  const absl::Duration limit =
      std::min(WaitLimit(account, now), demand.deadline - now);
  // Without nodes nothing is known: one may come.
  if (stats_.capacity > 0 && TurnWait(account, demand.priority, now) > limit) {
    return ShedReason::kWait;
  }
  if (OwnWait(account, demand.priority, now) > limit) {
    return ShedReason::kConcurrency;
  }
  if (!MakeRoom(account, demand, now)) return ShedReason::kFull;
  return std::nullopt;
}

bool Admission::MakeRoom(TenantAccount& account, const Demand& demand,
                         absl::Time now) {
  const DemandSize size = DemandSize::Of(demand);
  if (!Fits(size, options_.max_waiting)) return false;
  while (!Fits(queue_.Waiting() + size, options_.max_waiting)) {
    TenantAccount* other =
        queue_.WhoMakesRoom(account, demand, options_.max_waiting);
    if (other == nullptr) return false;
    Drop(queue_.PopLast(*other), ShedReason::kPushedOut, now);
  }
  return true;
}

absl::Duration Admission::WaitLimit(TenantAccount& account,
                                    absl::Time now) const {
  // As long as a stream takes: a burst may wait longer, a standing queue not.
  const absl::Duration patience = std::clamp(
      estimate_.MeanStreamTime(), kShortestWaitLimit, options_.max_wait);
  if (account.Waiting().count > 0 && now - account.WaitingSince() > patience) {
    account.SetPressedUntil(now + patience);
  }
  return account.IsPressed(now) ? patience : options_.max_wait;
}

absl::Duration Admission::TurnWait(const TenantAccount& account, int priority,
                                   absl::Time now) const {
  const double ends = stats_.num_running + 1 - stats_.capacity +
                      queue_.NumAhead(account, priority);
  return estimate_.ForEnds(ends, stats_.capacity, now);
}

absl::Duration Admission::OwnWait(const TenantAccount& account, int priority,
                                  absl::Time now) const {
  const double limit = static_cast<double>(account.Owner().concurrency);
  if (limit == 0) return absl::ZeroDuration();
  const double ends = account.NumRunning() + 1 - limit +
                      static_cast<double>(account.NumWaitingAtLeast(priority));
  return estimate_.ForEnds(ends, limit, now);
}

absl::Duration Admission::RetryAfter(const TenantAccount& account, int priority,
                                     absl::Time now) const {
  if (stats_.capacity == 0) return options_.max_wait;
  const absl::Duration wait = std::max(TurnWait(account, priority, now),
                                       OwnWait(account, priority, now));
  if (wait == absl::ZeroDuration()) return kUnknownHint;
  return std::clamp(kHintShare * wait, kShortestHint, kLongestHint);
}

void Admission::Refuse(WaitingDemand waiting, ShedReason reason,
                       absl::Duration retry_after) {
  ++stats_.num_shed[static_cast<size_t>(reason)];
  deliveries_.push_back({waiting.id, std::move(waiting.callback),
                         RefusalOf(reason, retry_after)});
}

void Admission::Drop(WaitingDemand waiting, ShedReason reason, absl::Time now) {
  TenantAccount& account = queue_.AccountOf(waiting.demand.tenant, now);
  account.Refund(waiting, now);
  const absl::Duration hint = RetryAfter(account, waiting.demand.priority, now);
  Refuse(std::move(waiting), reason, hint);
}

void Admission::Start(TenantAccount& account, WaitingDemand waiting,
                      absl::Time now) {
  queue_.NoteStart(account);
  account.AddRunning(1);
  ++stats_.num_running;
  ++stats_.num_admitted;
  Ticket ticket;
  ticket.admission_ = this;
  ticket.account_ = &account;
  ticket.asked_ = waiting.asked;
  ticket.started_ = now;
  ticket.charged_completion_tokens_ = waiting.charged_completion_tokens;
  deliveries_.push_back(
      {waiting.id, std::move(waiting.callback), std::move(ticket)});
}

void Admission::StartNext(absl::Time now) {
  while (stats_.num_running < stats_.capacity) {
    TenantAccount* account = queue_.Next();
    if (account == nullptr) return;
    Start(*account, queue_.PopFirst(*account), now);
  }
}

void Admission::Release(Ticket& ticket) {
  const absl::Time now = clock_.Now();
  {
    MutexLock lock(mutex_);
    --stats_.num_running;
    ticket.account_->AddRunning(-1);
    ticket.account_->Settle(ticket.charged_completion_tokens_,
                            ticket.num_completion_tokens_, now);
    estimate_.NoteEnd(now - ticket.started_, now);
    completion_tokens_.Add(static_cast<double>(ticket.num_completion_tokens_));
    StartNext(now);
  }
  Deliver();
}

void Admission::Leave(uint64_t id) {
  const absl::Time now = clock_.Now();
  // Ended without the lock: they may own what calls here.
  std::optional<WaitingDemand> waiting;
  std::vector<Delivery> undelivered;
  MutexLock lock(mutex_);
  waiting = queue_.Remove(id);
  if (waiting.has_value()) {
    ++stats_.num_cancelled;
    queue_.AccountOf(waiting->demand.tenant, now).Refund(*waiting, now);
    return;
  }
  const auto found = std::find_if(
      deliveries_.begin(), deliveries_.end(),
      [id](const Delivery& delivery) { return delivery.id == id; });
  if (found == deliveries_.end()) return;
  undelivered.push_back(std::move(*found));
  deliveries_.erase(found);
}

void Admission::Deliver() {
  {
    MutexLock lock(mutex_);
    if (delivering_) return;  // by a thread that takes these too
    delivering_ = true;
  }
  while (std::optional<Delivery> delivery = NextDelivery()) {
    delivery->callback(std::move(delivery->result));
  }
}

std::optional<Admission::Delivery> Admission::NextDelivery() {
  MutexLock lock(mutex_);
  if (deliveries_.empty()) {
    delivering_ = false;
    return std::nullopt;
  }
  std::optional<Delivery> delivery(std::move(deliveries_.front()));
  deliveries_.pop_front();
  return delivery;
}

void Admission::SetCapacity(int num_streams) {
  const absl::Time now = clock_.Now();
  {
    MutexLock lock(mutex_);
    stats_.capacity = std::max(num_streams, 0);
    StartNext(now);
  }
  Deliver();
}

void Admission::StartDraining() {
  const absl::Time now = clock_.Now();
  {
    MutexLock lock(mutex_);
    draining_ = true;
    for (WaitingDemand& waiting :
         queue_.RemoveIf([](const WaitingDemand&) { return true; })) {
      queue_.AccountOf(waiting.demand.tenant, now).Refund(waiting, now);
      Refuse(std::move(waiting), ShedReason::kDraining, kUnknownHint);
    }
  }
  Deliver();
}

void Admission::Tick() {
  const absl::Time now = clock_.Now();
  {
    MutexLock lock(mutex_);
    const ShedReason too_long =
        stats_.capacity == 0 ? ShedReason::kNoCapacity : ShedReason::kTimedOut;
    for (WaitingDemand& waiting :
         queue_.RemoveIf([&](const WaitingDemand& entry) {
           return entry.demand.deadline <= now ||
                  entry.asked + options_.max_wait <= now;
         })) {
      const bool is_late = waiting.demand.deadline <= now;
      Drop(std::move(waiting), is_late ? ShedReason::kDeadline : too_long, now);
    }
    if (now >= next_forget_) {
      next_forget_ = now + kForgetInterval;
      queue_.ForgetIdle(now);
    }
  }
  Deliver();
}

AdmissionStats Admission::Stats() const {
  MutexLock lock(mutex_);
  AdmissionStats stats = stats_;
  stats.waiting = queue_.Waiting();
  stats.mean_stream_time = estimate_.MeanStreamTime();
  stats.mean_completion_tokens = completion_tokens_.Get();
  return stats;
}

RateLimits Admission::LimitsOf(const Tenant& tenant) const {
  const absl::Time now = clock_.Now();
  MutexLock lock(mutex_);
  if (const TenantAccount* account = queue_.FindAccount(tenant.name)) {
    return {.requests = ViewOf(account->Requests(), now),
            .tokens = ViewOf(account->Tokens(), now)};
  }
  return {.requests = {tenant.requests_per_minute, tenant.requests_per_minute,
                       absl::ZeroDuration()},
          .tokens = {tenant.tokens_per_minute, tenant.tokens_per_minute,
                     absl::ZeroDuration()}};
}

}  // namespace mesh::gateway
