// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "absl/status/statusor.h"
#include "router/control/epoch_rollout.h"
#include "router/control/epoch_sequence.h"
#include "router/control/membership_table.h"
#include "router/placement/expert_grid.h"
#include "router/placement/placement.h"

namespace mesh::router {

// The plan of a table that was made elsewhere, if it may be the next one.
// Errors: kAborted `stale_term` for a term that is not the router's;
// kFailedPrecondition for an epoch that is not the next, `uncovered_expert`,
// another model's shape, or a node that is not there to stay or has no room.
absl::StatusOr<HostingPlan> PlanOfOperatorTable(const Placement& table,
                                                const EpochSequence& epochs,
                                                const MembershipTable& members,
                                                const ExpertGrid& grid);

}  // namespace mesh::router
