// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "gateway/admission/demand.h"
#include "gateway/admission/tenant_account.h"

namespace mesh::gateway {

// The tenants' accounts and queues as one: who goes next, who has too much.
// Between tenants it is stride scheduling (Waldspurger and Weihl, 1995), a
// weighted round robin that keeps no rounds. Guarded by Admission.
class FairQueue {
 public:
  // The tenant's account, made if there is none; stays while it is not idle.
  TenantAccount& AccountOf(const std::shared_ptr<const Tenant>& tenant,
                           absl::Time now);
  // Null if nothing of it is known.
  const TenantAccount* FindAccount(const std::string& name) const;
  // Forgets accounts with which nothing is lost.
  void ForgetIdle(absl::Time now);

  void Push(TenantAccount& account, WaitingDemand waiting);
  // Of all that wait, what may run next; null if there is none.
  TenantAccount* Next();
  WaitingDemand PopFirst(TenantAccount& account);
  std::optional<WaitingDemand> Remove(uint64_t id);
  std::vector<WaitingDemand> RemoveIf(
      const std::function<bool(const WaitingDemand&)>& condition);

  // A stream for the account: its next turn is later.
  void NoteStart(TenantAccount& account);

  // Whose last one should leave so that `demand` of `account` fits under
  // `limits`: its own if that is less important, else that of whoever has the
  // most for its weight. Null: nobody has more than it would have.
  TenantAccount* WhoMakesRoom(TenantAccount& account, const Demand& demand,
                              const DemandSize& limits);
  WaitingDemand PopLast(TenantAccount& account);

  // Streams that start before one of `account` that joins its queue now.
  double NumAhead(const TenantAccount& account, int priority) const;

  const DemandSize& Waiting() const { return size_; }
  size_t NumAccounts() const { return accounts_.size(); }

 private:
  // A tenant that has asked for nothing gathers no right to more later.
  void CatchUp(TenantAccount& account);

  absl::flat_hash_map<std::string, std::unique_ptr<TenantAccount>> accounts_;
  absl::flat_hash_map<uint64_t, TenantAccount*> account_of_;  // that wait
  DemandSize size_;
  double pass_ = 0;  // of the last one that started
};

}  // namespace mesh::gateway
