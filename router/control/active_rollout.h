// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "router/control/epoch_rollout.h"
#include "router/control/holdings_table.h"
#include "router/control/membership_table.h"
#include "router/control/messages.h"
#include "router/placement/expert_grid.h"

namespace mesh::router {

// The epoch that nodes are to use, and the table of it that they are sent.
struct ActiveRollout {
  EpochRollout rollout;
  std::shared_ptr<const ReachablePlacement> table;
};

// REQUIRES: every node of the plan is a member; the plan covers the grid.
std::shared_ptr<const ReachablePlacement> MakeTable(
    const EpochRollout& rollout, const MembershipTable& members,
    const ExpertGrid& grid);

// Whether the table still tells how its nodes are reached, and every node holds
// what it gives.
bool IsSound(const ActiveRollout& active, const MembershipTable& members,
             const HoldingsTable& holdings);

}  // namespace mesh::router
