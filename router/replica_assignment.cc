// SPDX-License-Identifier: Apache-2.0
#include "router/replica_assignment.h"

#include <tuple>

namespace mesh::router {

std::optional<ExpertId> ReplicaAssignment::Assign(const InFlightBatch& batch,
                                                  const NodeTable& nodes,
                                                  absl::Time now) {
  loads_.clear();
  for (const NodeId node : batch.Table().Nodes()) {
    loads_.push_back(nodes.LoadOf(node, now));
  }
  PickFirst(batch);
  ordinals_.assign(static_cast<size_t>(batch.NumPicks()), kNoReplica);
  std::optional<ExpertId> orphan;
  for (int p = 0; p < batch.NumPicks(); ++p) {
    if (!batch.IsDue(p)) continue;
    const ExpertId expert = batch.TopkIdx()[static_cast<size_t>(p)];
    int& ordinal = ordinals_[static_cast<size_t>(p)];
    ordinal =
        batch.NumAttempts(p) == 0 ? picked_[expert.value] : PickAgain(batch, p);
    if (ordinal == kNoReplica && !batch.IsUnderWay(p) && !orphan.has_value()) {
      orphan = expert;
    }
  }
  return orphan;
}

void ReplicaAssignment::PickFirst(const InFlightBatch& batch) {
  const size_t num_experts = static_cast<size_t>(batch.Table().NumExperts());
  rows_of_expert_.assign(num_experts, 0);
  picked_.resize(num_experts);
  for (int p = 0; p < batch.NumPicks(); ++p) {
    if (batch.IsDue(p) && batch.NumAttempts(p) == 0) {
      ++rows_of_expert_[batch.TopkIdx()[static_cast<size_t>(p)].value];
    }
  }
  picker_.Pick(batch.Table(), batch.Layer(), rows_of_expert_, loads_, picked_);
}

int ReplicaAssignment::PickAgain(const InFlightBatch& batch, int pick) const {
  const auto replicas = batch.Table().ReplicaOrdinals(
      batch.Layer(), batch.TopkIdx()[static_cast<size_t>(pick)]);
  // Lowest of: tried before, health, rows that it owes, ordinal.
  int best = kNoReplica;
  std::tuple<bool, NodeLoad::Health, int64_t> best_rank;
  for (size_t i = 0; i < replicas.size(); ++i) {
    const NodeLoad& load = loads_[static_cast<size_t>(replicas[i])];
    if (load.health == NodeLoad::Health::kLost ||
        (batch.NotHolding(pick) >> i & 1) != 0) {
      continue;
    }
    const std::tuple rank((batch.Tried(pick) >> i & 1) != 0, load.health,
                          load.outstanding_rows);
    if (best == kNoReplica || rank < best_rank) {
      best = replicas[i];
      best_rank = rank;
    }
  }
  return best;
}

}  // namespace mesh::router
