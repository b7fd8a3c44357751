// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <vector>

namespace mesh::router {

// How many units (experts, or whole routing groups) of each layer each node
// takes: the numbers of a plan, before it is known which.
struct QuotaRequest {
  size_t num_layers = 0;
  size_t units_per_layer = 0;
  size_t num_replicas = 1;       // wanted of each unit
  std::vector<size_t> capacity;  // units, by node
  // Units that a node has now, [layer][node]: where numbers do not come out
  // even, those that have more keep more.
  std::vector<std::vector<size_t>> current;
};

// [layer][node]. Sums over a node stay within its capacity; those of a layer
// differ by at most one between layers, and are units_per_layer * num_replicas
// where there is room for it. A node takes at most units_per_layer of a layer.
// Empty if there is no room for one copy of each unit.
std::vector<std::vector<size_t>> NodeQuotas(const QuotaRequest& request);

}  // namespace mesh::router
