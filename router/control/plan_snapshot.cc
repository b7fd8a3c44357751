// SPDX-License-Identifier: Apache-2.0
#include "router/control/plan_snapshot.h"

#include <algorithm>
#include <utility>

#include "core/status_macros.h"

namespace mesh::router {
namespace {

PlanRequest EmptyRequest(const PlanContext& context) {
  PlanRequest request;
  request.grid = &context.grid;
  request.num_groups = context.num_groups;
  request.num_replicas = context.num_replicas;
  return request;
}

// What the active plan gives to each node that holds it, as holders by expert.
std::vector<bool> PlacedAndHeld(const PlanContext& context) {
  std::vector<bool> placed(context.grid.Size(), false);
  if (context.active == nullptr) return placed;
  for (const auto& [node, set] : *context.active) {
    const ExpertSet& held = context.holdings.Of(node);
    for (size_t i = 0; i < set.size(); ++i) {
      if (set[i] && held[i]) placed[i] = true;
    }
  }
  return placed;
}

}  // namespace

PlanRequest MakePlanRequest(const PlanContext& context) {
  PlanRequest request = EmptyRequest(context);
  const std::vector<bool> placed = PlacedAndHeld(context);
  for (const auto& [id, member] : context.members.All()) {
    if (!member.Alive() || !member.IsExpert() || member.draining) continue;
    PlanNode node{.id = id,
                  .capacity = std::min(member.capacity, member.capacity_limit),
                  .current = context.holdings.Of(id)};
    const ExpertSet* active = nullptr;
    if (context.active != nullptr) {
      const auto it = context.active->find(id);
      if (it != context.active->end()) active = &it->second;
    }
    for (size_t i = 0; i < placed.size(); ++i) {
      if (placed[i] && (active == nullptr || !(*active)[i])) {
        node.current[i] = false;
      }
    }
    request.nodes.push_back(std::move(node));
  }
  return request;
}

PlanRequest MakeCoverRequest(const PlanContext& context) {
  PlanRequest request = EmptyRequest(context);
  for (const auto& [id, member] : context.members.All()) {
    if (!member.Alive() || !member.IsExpert()) continue;
    const ExpertSet& held = context.holdings.Of(id);
    const size_t room =
        member.draining ? 0 : std::min(member.capacity, member.capacity_limit);
    request.nodes.push_back(
        {.id = id, .capacity = std::max(room, CountOf(held)), .current = held});
  }
  return request;
}

HostingPlan ToHostingPlan(const PlanRequest& request, const Plan& plan) {
  HostingPlan hosting;
  for (size_t n = 0; n < plan.size(); ++n) {
    if (CountOf(plan[n]) > 0) hosting[request.nodes[n].id] = plan[n];
  }
  return hosting;
}

absl::StatusOr<NextPlan> MakeNextPlan(const PlanContext& context) {
  if (context.active != nullptr && HasOrphans(context.holdings, context.grid)) {
    const PlanRequest request = MakeCoverRequest(context);
    if (const auto cover = PlanCover(request); cover.ok()) {
      return NextPlan{ToHostingPlan(request, *cover), true};
    }
  }
  const PlanRequest request = MakePlanRequest(context);
  ASSIGN_OR_RETURN(const Plan plan, PlanPlacement(request));
  return NextPlan{ToHostingPlan(request, plan), false};
}

bool HasOrphans(const HoldingsTable& holdings, const ExpertGrid& grid) {
  for (size_t i = 0; i < grid.Size(); ++i) {
    if (holdings.NumHolders(i) == 0) return true;
  }
  return false;
}

bool IsPartOf(const ExpertSet& set, const ExpertSet& other) {
  return CountMissing(set, other) == 0;
}

size_t CountMissing(const ExpertSet& set, const ExpertSet& other) {
  size_t missing = 0;
  for (size_t i = 0; i < set.size(); ++i) missing += set[i] && !other[i];
  return missing;
}

}  // namespace mesh::router
