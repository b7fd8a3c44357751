// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "router/control/epoch_rollout.h"
#include "router/control/holdings_table.h"
#include "router/control/hosting_orders.h"
#include "router/control/membership_table.h"
#include "router/control/messages.h"
#include "router/control/node_links.h"
#include "router/placement/expert_grid.h"

namespace mesh::router {

// The epoch that nodes load for now, if there is one: sends the orders and
// hears how they are carried out. `active` is what the active epoch gives; null
// if there is none. Owned by the control thread.
class EpochLoading {
 public:
  // All outlive the loading.
  struct Mesh {
    MembershipTable& members;
    const HoldingsTable& holdings;
    const ExpertGrid& grid;
    NodeLinks& links;
  };

  // Loading without progress for `stall` counts as failed.
  EpochLoading(const Mesh& mesh, absl::Duration stall)
      : mesh_(mesh), stall_(stall) {}

  // Null if nothing is loaded.
  const EpochRollout* Rollout() const {
    return rollout_.has_value() ? &*rollout_ : nullptr;
  }
  bool IsBusy() const { return rollout_.has_value(); }
  bool IsReady() const {
    return IsBusy() && rollout_->State() == EpochState::kReady;
  }
  // Whether the node is to load for it, or has done so.
  bool Names(NodeId node) const {
    return IsBusy() && rollout_->PlanOf(node) != nullptr;
  }

  // Sends the orders; returns how many experts are to be loaded. REQUIRES:
  // nothing is loaded; every node of the plan is a member.
  size_t Begin(EpochRollout rollout, const HostingPlan* active, absl::Time now);
  // Errors: why the node cannot carry its order out.
  absl::Status OnReport(const Member& member, const HoldingsReport& report,
                        const HostingPlan* active, absl::Time now);
  void OnProgress(absl::Time now);
  // REQUIRES: IsReady().
  EpochRollout Activate(absl::Time now);
  // REQUIRES: IsBusy().
  void Abandon(const std::string& why, absl::Time now);

  // A node without progress for too long; null if there is none.
  Member* Stalled(absl::Time now) const;
  // When Stalled() may find one; infinite if nothing is loaded.
  absl::Time NextDeadline() const;
  // What is awaited, for people. REQUIRES: IsBusy().
  std::string Activity() const;

 private:
  OrderContext Orders(const HostingPlan* active) const;

  const Mesh mesh_;
  const absl::Duration stall_;
  std::optional<EpochRollout> rollout_;
};

}  // namespace mesh::router
