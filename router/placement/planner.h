// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <vector>

#include "absl/status/statusor.h"
#include "core/ids.h"
#include "router/placement/expert_grid.h"

namespace mesh::router {

struct PlanNode {
  NodeId id;
  size_t capacity = 0;  // experts
  // What the node hosts now; as large as the grid.
  ExpertSet current;
};

struct PlanRequest {
  const ExpertGrid* grid = nullptr;
  int num_groups = 1;  // routing groups of a layer; divides its experts
  int num_replicas = 1;
  std::vector<PlanNode> nodes;  // ids ascending
};

// What each node is to host: a set of the grid for each node of the request, in
// its order.
using Plan = std::vector<ExpertSet>;

// Spreads every layer, and all layers together, evenly over the nodes as far as
// their capacities go, with as few experts as possible that a node does not
// host yet. Every expert gets a node before any gets a second; `num_replicas`
// is what is wanted, less is given where nodes or room are missing. Up to
// `num_groups` nodes, the experts of a routing group stay together. A pure
// function.
// Errors: kResourceExhausted if not every expert finds room, with the figures;
// kInvalidArgument if there is no node.
absl::StatusOr<Plan> PlanPlacement(const PlanRequest& request);

// The quick remedy after a loss: everything stays where it is, and each expert
// that no node hosts gets one node, the emptiest first. Errors as above.
absl::StatusOr<Plan> PlanCover(const PlanRequest& request);

}  // namespace mesh::router
