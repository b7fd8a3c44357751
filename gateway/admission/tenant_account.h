// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gateway/admission/demand.h"
#include "gateway/admission/recent_mean.h"
#include "gateway/admission/ticket.h"
#include "gateway/admission/token_bucket.h"

namespace mesh::gateway {

// A request in the queue.
struct WaitingDemand {
  uint64_t id = 0;  // later ones have larger ids
  Demand demand;
  std::function<void(absl::StatusOr<Ticket>)> callback;
  absl::Time asked;
  double charged_completion_tokens = 0;
};

// What Admission knows of one tenant: its rates, its streams, its queue. The
// queue is in order: higher priority first, then age. Guarded by Admission.
class TenantAccount {
 public:
  TenantAccount(std::shared_ptr<const Tenant> tenant, absl::Time now);

  // Its limits may have changed.
  void SetTenant(std::shared_ptr<const Tenant> tenant, absl::Time now);
  const Tenant& Owner() const { return *tenant_; }
  double Weight() const { return WeightOf(tenant_->priority_class); }

  const TokenBucket& Requests() const { return requests_; }
  const TokenBucket& Tokens() const { return tokens_; }
  // Of a demand, for rates: as many as its answers have lately.
  double ExpectedCompletionTokens(const Demand& demand) const;
  // Takes from both rates; `completion_tokens` are settled by Settle.
  void Charge(const Demand& demand, double completion_tokens, absl::Time now);
  void Settle(double charged, size_t num_completion_tokens, absl::Time now);
  // As if it had never been charged.
  void Refund(const WaitingDemand& waiting, absl::Time now);

  int NumRunning() const { return num_running_; }
  bool MayRun() const {
    return tenant_->concurrency == 0 || num_running_ < tenant_->concurrency;
  }
  void AddRunning(int count) { num_running_ += count; }

  void Push(WaitingDemand waiting);
  std::optional<WaitingDemand> Remove(uint64_t id);
  WaitingDemand PopFirst();
  WaitingDemand PopLast();
  // All that fulfil the condition.
  std::vector<WaitingDemand> RemoveIf(
      const std::function<bool(const WaitingDemand&)>& condition);
  const WaitingDemand& Last() const { return queue_.rbegin()->second; }
  const DemandSize& Waiting() const { return size_; }
  size_t NumWaitingAtLeast(int priority) const;
  // Something of it waits, without a pause. REQUIRES: something does.
  absl::Time WaitingSince() const { return waiting_since_; }
  // Of the streams that have started since then, lately: the share of it. What
  // others take without having to wait is known from nothing else.
  double ShareOfStarts() const { return share_of_starts_.Get(); }
  void NoteStart(bool is_own) { share_of_starts_.Add(is_own ? 1 : 0); }

  // Where it stands in the round: the tenant with the least goes next.
  double Pass() const { return pass_; }
  void SetPass(double pass) { pass_ = pass; }

  // More is asked than can be served: its queue is kept short.
  bool IsPressed(absl::Time now) const { return now < pressed_until_; }
  void SetPressedUntil(absl::Time time) { pressed_until_ = time; }

  // Nothing would be lost with it.
  bool IsIdle(absl::Time now) const;

 private:
  // Priority negated, then id.
  using Key = std::pair<int, uint64_t>;
  using Queue = std::map<Key, WaitingDemand>;

  WaitingDemand Take(Queue::iterator position);

  std::shared_ptr<const Tenant> tenant_;
  TokenBucket requests_;
  TokenBucket tokens_;
  RecentMean completion_tokens_;
  int num_running_ = 0;
  Queue queue_;
  DemandSize size_;
  absl::Time waiting_since_;
  RecentMean share_of_starts_;
  double pass_ = 0;
  absl::Time pressed_until_ = absl::InfinitePast();
};

}  // namespace mesh::gateway
