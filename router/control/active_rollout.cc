// SPDX-License-Identifier: Apache-2.0
#include "router/control/active_rollout.h"

#include <algorithm>

#include "router/control/plan_snapshot.h"

namespace mesh::router {

std::shared_ptr<const ReachablePlacement> MakeTable(
    const EpochRollout& rollout, const MembershipTable& members,
    const ExpertGrid& grid) {
  auto table = std::make_shared<ReachablePlacement>();
  table->placement = MakePlacement(rollout.Epoch(), rollout.Plan(), grid);
  for (const auto& [id, set] : rollout.Plan()) {
    table->nodes.push_back(members.Find(id)->node);
  }
  return table;
}

bool IsSound(const ActiveRollout& active, const MembershipTable& members,
             const HoldingsTable& holdings) {
  for (const NodeIdentity& node : active.table->nodes) {
    const Member* const member = members.Find(node.id);
    if (member == nullptr || !member->Alive() || member->node != node) {
      return false;
    }
  }
  const HostingPlan& plan = active.rollout.Plan();
  return std::all_of(plan.begin(), plan.end(), [&](const auto& entry) {
    return IsPartOf(entry.second, holdings.Of(entry.first));
  });
}

}  // namespace mesh::router
