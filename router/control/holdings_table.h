// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "core/digest.h"
#include "router/control/messages.h"
#include "router/placement/expert_grid.h"

namespace mesh::router {

// Which expert node has which experts in memory, and that all have the same
// weights. Owned by one thread.
class HoldingsTable {
 public:
  // `grid` outlives the table.
  explicit HoldingsTable(const ExpertGrid& grid)
      : grid_(grid), digests_(grid.Size()), none_(grid.Size(), false) {}

  // All that `node` holds now. Errors: kFailedPrecondition if another node
  // holds the same expert with another digest; kInvalidArgument for an expert
  // that is not in the model, or one that stands twice. The node then holds
  // nothing.
  absl::Status Set(NodeId node, std::span<const Holding> holdings);
  void Remove(NodeId node);

  const ExpertSet& Of(NodeId node) const;
  // Nodes that hold the expert of this index.
  uint32_t NumHolders(size_t index) const { return digests_[index].holders; }

 private:
  struct Known {
    Digest digest;
    uint32_t holders = 0;
  };

  absl::Status Add(ExpertSet& set, const Holding& holding);

  const ExpertGrid& grid_;
  std::vector<Known> digests_;  // by index
  const ExpertSet none_;
  absl::flat_hash_map<NodeId, ExpertSet> sets_;
};

}  // namespace mesh::router
