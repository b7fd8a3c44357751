// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "core/ids.h"
#include "router/control/messages.h"
#include "router/placement/expert_grid.h"

namespace mesh::router {

enum class EpochState {
  kProposed,
  kLoading,
  kReady,
  kActive,
  kDraining,
  kRetired,
  kAbandoned,
};

absl::string_view EpochStateName(EpochState state);

// What every node is to host.
using HostingPlan = std::map<NodeId, ExpertSet>;

// One epoch on its way from plan to retirement: docs/control_plane.md. Only the
// transitions drawn there are possible. Owned by one thread.
class EpochRollout {
 public:
  EpochRollout(uint64_t epoch, std::string reason, HostingPlan plan,
               absl::Time now);
  // One that was active before this router began.
  static EpochRollout Adopted(uint64_t epoch, HostingPlan plan, absl::Time now);

  uint64_t Epoch() const { return epoch_; }
  const std::string& Reason() const { return reason_; }
  const HostingPlan& Plan() const { return plan_; }
  EpochState State() const { return state_; }
  absl::Time Since() const { return since_; }  // of the state
  absl::Time Proposed() const { return proposed_; }
  // What the node is to host; null if nothing.
  const ExpertSet* PlanOf(NodeId node) const;

  // Orders are out.
  void StartLoading(absl::Time now);
  // The node has what the plan gives it. True if that made the epoch READY.
  bool OnLoaded(NodeId node, absl::Time now);
  // Something was loaded somewhere.
  void OnProgress(absl::Time now) { progress_ = now; }
  absl::Time LastProgress() const { return progress_; }
  // Nodes that still load, ascending.
  const std::set<NodeId>& StillLoading() const { return still_loading_; }

  void Activate(absl::Time now);
  void Drain(absl::Time now);
  void Retire(absl::Time now);
  void Abandon(absl::Time now);

 private:
  void Go(EpochState from, EpochState to, absl::Time now);

  uint64_t epoch_;
  std::string reason_;
  HostingPlan plan_;
  EpochState state_ = EpochState::kProposed;
  absl::Time proposed_;
  absl::Time since_;
  absl::Time progress_;
  std::set<NodeId> still_loading_;
};

// The table of a plan. REQUIRES: the plan covers the grid.
std::shared_ptr<const Placement> MakePlacement(uint64_t epoch,
                                               const HostingPlan& plan,
                                               const ExpertGrid& grid);
HostingPlan PlanOf(const Placement& placement, const ExpertGrid& grid);

}  // namespace mesh::router
