// SPDX-License-Identifier: Apache-2.0
#include "router/control/epoch_rollout.h"

#include <utility>
#include <vector>

#include "core/check.h"

namespace mesh::router {

absl::string_view EpochStateName(EpochState state) {
  switch (state) {
    case EpochState::kProposed:
      return "proposed";
    case EpochState::kLoading:
      return "loading";
    case EpochState::kReady:
      return "ready";
    case EpochState::kActive:
      return "active";
    case EpochState::kDraining:
      return "draining";
    case EpochState::kRetired:
      return "retired";
    case EpochState::kAbandoned:
      return "abandoned";
  }
  return "";
}

EpochRollout::EpochRollout(uint64_t epoch, std::string reason, HostingPlan plan,
                           absl::Time now)
    : epoch_(epoch),
      reason_(std::move(reason)),
      plan_(std::move(plan)),
      proposed_(now),
      since_(now),
      progress_(now) {
  for (const auto& [node, set] : plan_) still_loading_.insert(node);
}

EpochRollout EpochRollout::Adopted(uint64_t epoch, HostingPlan plan,
                                   absl::Time now) {
  EpochRollout rollout(epoch, "adopted", std::move(plan), now);
  rollout.still_loading_.clear();
  rollout.state_ = EpochState::kActive;
  return rollout;
}

const ExpertSet* EpochRollout::PlanOf(NodeId node) const {
  const auto it = plan_.find(node);
  return it == plan_.end() ? nullptr : &it->second;
}

void EpochRollout::Go(EpochState from, EpochState to, absl::Time now) {
  MESH_CHECK(state_ == from);
  state_ = to;
  since_ = now;
}

void EpochRollout::StartLoading(absl::Time now) {
  Go(EpochState::kProposed, EpochState::kLoading, now);
}

bool EpochRollout::OnLoaded(NodeId node, absl::Time now) {
  progress_ = now;
  still_loading_.erase(node);
  if (state_ != EpochState::kLoading || !still_loading_.empty()) return false;
  Go(EpochState::kLoading, EpochState::kReady, now);
  return true;
}

void EpochRollout::Activate(absl::Time now) {
  Go(EpochState::kReady, EpochState::kActive, now);
}

void EpochRollout::Drain(absl::Time now) {
  Go(EpochState::kActive, EpochState::kDraining, now);
}

void EpochRollout::Retire(absl::Time now) {
  Go(EpochState::kDraining, EpochState::kRetired, now);
}

void EpochRollout::Abandon(absl::Time now) {
  MESH_CHECK(state_ <= EpochState::kReady);
  Go(state_, EpochState::kAbandoned, now);
}

std::shared_ptr<const Placement> MakePlacement(uint64_t epoch,
                                               const HostingPlan& plan,
                                               const ExpertGrid& grid) {
  std::vector<Replica> replicas;
  for (const auto& [node, set] : plan) {
    for (size_t i = 0; i < set.size(); ++i) {
      if (set[i]) replicas.push_back({grid.KeyOf(i), node});
    }
  }
  auto placement =
      Placement::Create({.epoch = epoch,
                         .layers = grid.Layers(),
                         .num_experts = static_cast<int>(grid.NumExperts())},
                        replicas);
  MESH_CHECK(placement.ok());
  return *std::move(placement);
}

HostingPlan PlanOf(const Placement& placement, const ExpertGrid& grid) {
  HostingPlan plan;
  const auto nodes = placement.Nodes();
  for (const NodeId node : nodes) plan[node] = ExpertSet(grid.Size(), false);
  for (size_t i = 0; i < grid.Size(); ++i) {
    const ExpertKey key = grid.KeyOf(i);
    for (const int ordinal : placement.ReplicaOrdinals(key.layer, key.expert)) {
      plan[nodes[static_cast<size_t>(ordinal)]][i] = true;
    }
  }
  return plan;
}

}  // namespace mesh::router
