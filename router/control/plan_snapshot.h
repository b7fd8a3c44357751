// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "absl/status/statusor.h"
#include "router/control/epoch_rollout.h"
#include "router/control/holdings_table.h"
#include "router/control/membership_table.h"
#include "router/placement/planner.h"

namespace mesh::router {

// What the planner is asked, from what the controller knows. Pure functions.
struct PlanContext {
  const MembershipTable& members;
  const HoldingsTable& holdings;
  const ExpertGrid& grid;
  // What is active; null: nothing is.
  const HostingPlan* active = nullptr;
  int num_groups = 1;
  int num_replicas = 1;
};

// For PlanPlacement: expert nodes that are there to stay. What they host now is
// what the active plan gives them and they hold, and what is held for it
// otherwise.
PlanRequest MakePlanRequest(const PlanContext& context);

// For PlanCover: all expert nodes; those that drain get nothing new.
PlanRequest MakeCoverRequest(const PlanContext& context);

// Nodes that host nothing are left out.
HostingPlan ToHostingPlan(const PlanRequest& request, const Plan& plan);

// What is to be active next: a cover while nobody holds some expert and there
// is room for one, else a full plan. Errors: those of PlanPlacement.
struct NextPlan {
  HostingPlan hosting;
  bool covers = false;
};
absl::StatusOr<NextPlan> MakeNextPlan(const PlanContext& context);

// Whether nobody holds some expert.
bool HasOrphans(const HoldingsTable& holdings, const ExpertGrid& grid);

// Whether `set` is part of `other`, and what is in `set` but not in `other`.
bool IsPartOf(const ExpertSet& set, const ExpertSet& other);
size_t CountMissing(const ExpertSet& set, const ExpertSet& other);

}  // namespace mesh::router
