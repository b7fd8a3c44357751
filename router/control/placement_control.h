// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "router/control/active_rollout.h"
#include "router/control/epoch_loading.h"
#include "router/control/epoch_retirement.h"
#include "router/control/epoch_rollout.h"
#include "router/control/epoch_sequence.h"
#include "router/control/holdings_table.h"
#include "router/control/membership_table.h"
#include "router/control/messages.h"
#include "router/control/node_links.h"
#include "router/control/plan_snapshot.h"
#include "router/control/settling.h"
#include "router/control/term_source.h"

namespace mesh::router {

// Plans placements and rolls them out, one epoch at a time, over the expert
// nodes that are there: docs/control_plane.md. Events only note what has
// changed; Step() does what follows from it. Owned by the control thread.
class PlacementControl {
 public:
  struct Options {
    int num_replicas = 1;
    Settling::Options settling = {};
    // How long freeing waits for attention nodes that do not adopt.
    absl::Duration hold = absl::Seconds(30);
    // Loading without progress for so long counts as failed.
    absl::Duration load_stall = absl::Minutes(5);
    // When a node that failed is tried again.
    absl::Duration error_retry = absl::Seconds(30);
  };

  struct Counters {
    std::map<std::string, uint64_t> changes;           // activations, by reason
    uint64_t moved_bytes = 0;                          // ordered to be loaded
    absl::Duration last_apply = absl::ZeroDuration();  // plan to active
  };

  // All outlive the control.
  PlacementControl(const Options& options, const ModelShape& shape,
                   MembershipTable& members, const TermSource& terms,
                   NodeLinks& links);

  // Errors: kFailedPrecondition or kInvalidArgument for holdings that cannot
  // be; the node must go.
  absl::Status OnExpertJoined(Member& member, const Hello& hello,
                              absl::Time now);
  void OnAttentionJoined(Member& member, const Hello& hello, absl::Time now);
  // The member is not alive any more.
  void OnLost(const Member& member, absl::Time now);
  void OnDraining(Member& member, absl::Time now);
  // Errors: as OnExpertJoined.
  absl::Status OnHoldings(Member& member, const HoldingsReport& report,
                          absl::Time now);
  // False for an epoch that was never active.
  bool OnAdopted(Member& member, uint64_t epoch);
  // The node's own account of its loading has changed.
  void OnProgress(absl::Time now) { loading_.OnProgress(now); }

  // Rolls out a table made elsewhere. Errors: those of PlanOfOperatorTable;
  // kFailedPrecondition before the first plan.
  absl::Status Activate(const Placement& placement, absl::Time now);

  void Step(absl::Time now);
  // When Step() may have something to do by time alone.
  absl::Time NextDeadline(absl::Time now) const;

  const ExpertGrid& Grid() const { return grid_; }
  const ModelShape& Shape() const { return shape_; }
  // Null while there is none.
  std::shared_ptr<const ReachablePlacement> Active() const;
  uint64_t ActiveEpoch() const;
  size_t NumPlaced(NodeId node) const;
  const Counters& GetCounters() const { return counters_; }
  // What it is busy with, for people; empty if nothing.
  std::string Activity(absl::Time now) const;

 private:
  struct Want {
    std::string reason;
    absl::Time at;
  };

  void WantPlan(const std::string& reason, absl::Time at);
  void TakeOver(absl::Time now);
  void PlanNext(absl::Time now);
  void Begin(const std::string& reason, HostingPlan plan, absl::Time now);
  void FailOrder(Member& member, const std::string& error, absl::Time now);
  void Abandon(const std::string& why, absl::Time now);
  void ActivateLoaded(absl::Time now);
  void RetryFailed(absl::Time now);
  void ReleaseDrained(absl::Time now);
  void SendActive(const Member& member) const;

  const HostingPlan* ActivePlan() const;
  PlanContext Context() const;

  const Options options_;
  ModelShape shape_;
  const ExpertGrid grid_;
  MembershipTable& members_;
  NodeLinks& links_;

  EpochSequence epochs_;
  HoldingsTable holdings_;
  Settling settling_;
  EpochLoading loading_;
  EpochRetirement retirement_;
  std::optional<Want> want_;
  std::optional<ActiveRollout> active_;
  absl::Status plan_status_;
  Counters counters_;
};

}  // namespace mesh::router
