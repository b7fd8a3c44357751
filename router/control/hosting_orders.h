// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "router/control/epoch_rollout.h"
#include "router/control/holdings_table.h"
#include "router/control/messages.h"
#include "router/placement/expert_grid.h"

namespace mesh::router {

// Orders for one expert node. Pure functions over what is planned and held.
struct OrderContext {
  const HoldingsTable& holdings;
  const ExpertGrid& grid;
  const EpochRollout& loading;
  const HostingPlan* active = nullptr;  // null: nothing is active
};

// What the loading plan gives to the node and what the active one does. Experts
// that nobody holds come first, then others that are missing.
HostingOrder LoadOrder(const OrderContext& context, NodeId node);

// For a node that has room for `capacity` experts, too few for what it holds
// and what it will: what it keeps until then. Goes is what no plan gives it, or
// what another node holds and keeps. Nothing if it needs no such order.
std::optional<HostingOrder> MakeRoomOrder(const OrderContext& context,
                                          NodeId node, size_t capacity);

// Only what `plan` gives to the node.
HostingOrder RetireOrder(const HostingPlan& plan, const ExpertGrid& grid,
                         NodeId node, uint64_t epoch);

}  // namespace mesh::router
