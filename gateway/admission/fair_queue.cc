// SPDX-License-Identifier: Apache-2.0
#include "gateway/admission/fair_queue.h"

#include <algorithm>
#include <utility>

#include "core/check.h"

namespace mesh::gateway {
namespace {

// By how much of its limits something exceeds them most.
size_t DemandSize::*FullestOf(const DemandSize& size,
                              const DemandSize& limits) {
  if (size.count > limits.count) return &DemandSize::count;
  if (size.tokens > limits.tokens) return &DemandSize::tokens;
  return &DemandSize::bytes;
}

}  // namespace

TenantAccount& FairQueue::AccountOf(const std::shared_ptr<const Tenant>& tenant,
                                    absl::Time now) {
  std::unique_ptr<TenantAccount>& account = accounts_[tenant->name];
  if (account == nullptr) {
    account = std::make_unique<TenantAccount>(tenant, now);
  } else {
    account->SetTenant(tenant, now);
  }
  return *account;
}

const TenantAccount* FairQueue::FindAccount(const std::string& name) const {
  const auto found = accounts_.find(name);
  return found == accounts_.end() ? nullptr : found->second.get();
}

void FairQueue::ForgetIdle(absl::Time now) {
  absl::erase_if(accounts_,
                 [&](const auto& entry) { return entry.second->IsIdle(now); });
}

void FairQueue::CatchUp(TenantAccount& account) {
  if (account.Waiting().count > 0) return;
  account.SetPass(std::max(account.Pass(), pass_));
}

void FairQueue::Push(TenantAccount& account, WaitingDemand waiting) {
  CatchUp(account);
  size_ += DemandSize::Of(waiting.demand);
  account_of_[waiting.id] = &account;
  account.Push(std::move(waiting));
}

TenantAccount* FairQueue::Next() {
  TenantAccount* next = nullptr;
  for (const auto& [name, account] : accounts_) {
    if (account->Waiting().count == 0 || !account->MayRun()) continue;
    if (next == nullptr || account->Pass() < next->Pass()) next = account.get();
  }
  return next;
}

WaitingDemand FairQueue::PopFirst(TenantAccount& account) {
  WaitingDemand waiting = account.PopFirst();
  size_ -= DemandSize::Of(waiting.demand);
  account_of_.erase(waiting.id);
  return waiting;
}

WaitingDemand FairQueue::PopLast(TenantAccount& account) {
  WaitingDemand waiting = account.PopLast();
  size_ -= DemandSize::Of(waiting.demand);
  account_of_.erase(waiting.id);
  return waiting;
}

std::optional<WaitingDemand> FairQueue::Remove(uint64_t id) {
  const auto found = account_of_.find(id);
  if (found == account_of_.end()) return std::nullopt;
  std::optional<WaitingDemand> waiting = found->second->Remove(id);
  MESH_CHECK(waiting.has_value());
  size_ -= DemandSize::Of(waiting->demand);
  account_of_.erase(found);
  return waiting;
}

std::vector<WaitingDemand> FairQueue::RemoveIf(
    const std::function<bool(const WaitingDemand&)>& condition) {
  std::vector<WaitingDemand> removed;
  for (const auto& [name, account] : accounts_) {
    for (WaitingDemand& waiting : account->RemoveIf(condition)) {
      size_ -= DemandSize::Of(waiting.demand);
      account_of_.erase(waiting.id);
      removed.push_back(std::move(waiting));
    }
  }
  return removed;
}

void FairQueue::NoteStart(TenantAccount& account) {
  CatchUp(account);
  pass_ = std::max(pass_, account.Pass());
  account.SetPass(account.Pass() + 1 / account.Weight());
  for (const auto& [name, other] : accounts_) {
    if (other->Waiting().count == 0 || !other->MayRun()) continue;
    other->NoteStart(/*is_own=*/other.get() == &account);
  }
}

TenantAccount* FairQueue::WhoMakesRoom(TenantAccount& account,
                                       const Demand& demand,
                                       const DemandSize& limits) {
  const DemandSize size = DemandSize::Of(demand);
  const auto field = FullestOf(size_ + size, limits);
  const auto share_of = [&](const TenantAccount& other, size_t more) {
    return static_cast<double>(other.Waiting().*field + more) / other.Weight();
  };
  // Its own goes before that of others who have as much.
  if (account.Waiting().count > 0 &&
      account.Last().demand.priority < demand.priority) {
    return &account;
  }
  TenantAccount* largest = nullptr;
  double most = share_of(account, size.*field);
  for (const auto& [name, other] : accounts_) {
    const double share = share_of(*other, 0);
    if (other.get() == &account || share <= most) continue;
    most = share;
    largest = other.get();
  }
  return largest;
}

double FairQueue::NumAhead(const TenantAccount& account, int priority) const {
  const double own = static_cast<double>(account.NumWaitingAtLeast(priority));
  double ahead = own;
  for (const auto& [name, other] : accounts_) {
    if (other.get() == &account) continue;
    // Turns of the other one until this one's has come.
    const double turns = (own + 1) * other->Weight() / account.Weight();
    ahead += std::min(static_cast<double>(other->Waiting().count), turns);
  }
  if (account.Waiting().count == 0) return ahead;
  return std::max(ahead, (own + 1) / account.ShareOfStarts() - 1);
}

}  // namespace mesh::gateway
