// SPDX-License-Identifier: Apache-2.0
#include "gateway/admission/tenant_account.h"

#include <algorithm>
#include <iterator>

#include "core/check.h"

namespace mesh::gateway {
namespace {

// Of a tenant that has had no answer yet.
constexpr double kFirstGuessTokens = 256;

}  // namespace

TenantAccount::TenantAccount(std::shared_ptr<const Tenant> tenant,
                             absl::Time now)
    : tenant_(std::move(tenant)),
      requests_(static_cast<double>(tenant_->requests_per_minute), now),
      tokens_(static_cast<double>(tenant_->tokens_per_minute), now) {}

void TenantAccount::SetTenant(std::shared_ptr<const Tenant> tenant,
                              absl::Time now) {
  if (tenant == tenant_) return;
  tenant_ = std::move(tenant);
  requests_.SetRate(static_cast<double>(tenant_->requests_per_minute), now);
  tokens_.SetRate(static_cast<double>(tenant_->tokens_per_minute), now);
}

double TenantAccount::ExpectedCompletionTokens(const Demand& demand) const {
  const double expected = completion_tokens_.HasAny() ? completion_tokens_.Get()
                                                      : kFirstGuessTokens;
  return std::min(expected, static_cast<double>(demand.max_tokens));
}

void TenantAccount::Charge(const Demand& demand, double completion_tokens,
                           absl::Time now) {
  requests_.Take(1, now);
  tokens_.Take(
      static_cast<double>(demand.num_prompt_tokens) + completion_tokens, now);
}

void TenantAccount::Settle(double charged, size_t num_completion_tokens,
                           absl::Time now) {
  const double actual = static_cast<double>(num_completion_tokens);
  completion_tokens_.Add(actual);
  tokens_.GiveBack(charged - actual, now);
}

void TenantAccount::Refund(const WaitingDemand& waiting, absl::Time now) {
  requests_.GiveBack(1, now);
  tokens_.GiveBack(static_cast<double>(waiting.demand.num_prompt_tokens) +
                       waiting.charged_completion_tokens,
                   now);
}

void TenantAccount::Push(WaitingDemand waiting) {
  if (queue_.empty()) {
    waiting_since_ = waiting.asked;
    share_of_starts_ = {};
    NoteStart(/*is_own=*/true);  // until others are seen to start
  }
  size_ += DemandSize::Of(waiting.demand);
  const Key key(-waiting.demand.priority, waiting.id);
  MESH_CHECK(queue_.emplace(key, std::move(waiting)).second);
}

WaitingDemand TenantAccount::Take(Queue::iterator position) {
  WaitingDemand waiting = std::move(position->second);
  size_ -= DemandSize::Of(waiting.demand);
  queue_.erase(position);
  return waiting;
}

std::optional<WaitingDemand> TenantAccount::Remove(uint64_t id) {
  for (auto position = queue_.begin(); position != queue_.end(); ++position) {
    if (position->first.second == id) return Take(position);
  }
  return std::nullopt;
}

WaitingDemand TenantAccount::PopFirst() {
  MESH_CHECK(!queue_.empty());
  return Take(queue_.begin());
}

WaitingDemand TenantAccount::PopLast() {
  MESH_CHECK(!queue_.empty());
  return Take(std::prev(queue_.end()));
}

std::vector<WaitingDemand> TenantAccount::RemoveIf(
    const std::function<bool(const WaitingDemand&)>& condition) {
  std::vector<WaitingDemand> removed;
  for (auto position = queue_.begin(); position != queue_.end();) {
    const auto next = std::next(position);
    if (condition(position->second)) removed.push_back(Take(position));
    position = next;
  }
  return removed;
}

size_t TenantAccount::NumWaitingAtLeast(int priority) const {
  // Nearly always of one priority.
  if (queue_.empty()) return 0;
  if (queue_.rbegin()->first.first <= -priority) return queue_.size();
  return static_cast<size_t>(
      std::distance(queue_.begin(), queue_.lower_bound({-priority + 1, 0})));
}

bool TenantAccount::IsIdle(absl::Time now) const {
  return num_running_ == 0 && queue_.empty() &&
         requests_.Level(now) >= requests_.PerMinute() &&
         tokens_.Level(now) >= tokens_.PerMinute();
}

}  // namespace mesh::gateway
