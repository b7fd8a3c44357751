// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "absl/time/time.h"
#include "core/ids.h"
#include "router/in_flight_batch.h"
#include "router/node_table.h"
#include "router/replica_picker.h"

namespace mesh::router {

// Chooses the node of every pick that is due: by ReplicaPicker for what was
// never sent; for the rest a replica that was not tried, else the least loaded
// of those that were. Keeps its memory between calls.
class ReplicaAssignment {
 public:
  // Returns the first expert of an orphan (router/in_flight_batch.h), if there
  // is one; all other picks that are due have got a node.
  std::optional<ExpertId> Assign(const InFlightBatch& batch,
                                 const NodeTable& nodes, absl::Time now);

  // [num_picks] ordinals; kNoReplica for a pick that is not to be sent now.
  std::span<const int> Ordinals() const { return ordinals_; }

 private:
  void PickFirst(const InFlightBatch& batch);
  int PickAgain(const InFlightBatch& batch, int pick) const;

  ReplicaPicker picker_;
  std::vector<NodeLoad> loads_;      // by ordinal
  std::vector<int> rows_of_expert_;  // [num_experts]
  std::vector<int> picked_;          // [num_experts]
  std::vector<int> ordinals_;
};

}  // namespace mesh::router
