// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <vector>

namespace mesh::router {

// Which node takes which units of one layer, given how many each takes.
struct LayerAssignmentRequest {
  size_t num_units = 0;
  size_t num_replicas = 1;     // wanted of each unit
  std::vector<size_t> quotas;  // by node; at most num_units
  // [unit][node]: the node hosts the unit now, and keeps it if it can.
  std::vector<std::vector<bool>> current;
};

// [unit][node]. Every unit gets a node before any gets a second, if the quotas
// together allow it; no quota is exceeded. What is kept is decided first, the
// rest by shortest augmenting paths, which move little.
std::vector<std::vector<bool>> AssignLayer(
    const LayerAssignmentRequest& request);

}  // namespace mesh::router
