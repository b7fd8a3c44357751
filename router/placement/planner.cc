// SPDX-License-Identifier: Apache-2.0
#include "router/placement/planner.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "core/status_macros.h"
#include "router/placement/layer_assignment.h"
#include "router/placement/node_quotas.h"

namespace mesh::router {
namespace {

// What is placed as a whole: a run of experts of one layer.
struct Units {
  size_t size = 1;  // experts
  size_t per_layer = 0;
};

absl::Status CheckRoom(const PlanRequest& request) {
  if (request.nodes.empty()) {
    return absl::InvalidArgumentError("placement: no expert node is there");
  }
  size_t room = 0;
  for (const PlanNode& node : request.nodes) {
    room += std::min(node.capacity, request.grid->Size());
  }
  if (room >= request.grid->Size()) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrFormat(
      "the experts need room for %d, the %d expert nodes have room for %d; "
      "add a node or give the nodes more memory",
      request.grid->Size(), request.nodes.size(), room));
}

// Whole groups if every one finds a place, else single experts.
Units ChooseUnits(const PlanRequest& request) {
  const size_t num_experts = request.grid->NumExperts();
  const auto num_groups = static_cast<size_t>(request.num_groups);
  const size_t size = num_experts / num_groups;
  const size_t num_units = request.grid->Layers().size() * num_groups;
  size_t room = 0;
  for (const PlanNode& node : request.nodes) {
    room += std::min(node.capacity / size, num_units);
  }
  if (request.nodes.size() <= num_groups && room >= num_units) {
    return {.size = size, .per_layer = num_groups};
  }
  return {.size = 1, .per_layer = num_experts};
}

// Whether the node has at least half of the unit.
bool Hosts(const PlanNode& node, const Units& units, size_t first) {
  const auto begin = node.current.begin() + static_cast<ptrdiff_t>(first);
  const auto count =
      std::count(begin, begin + static_cast<ptrdiff_t>(units.size), true);
  return 2 * static_cast<size_t>(count) >= units.size;
}

// [unit][node] of one layer.
std::vector<std::vector<bool>> CurrentUnits(const PlanRequest& request,
                                            const Units& units, size_t layer) {
  std::vector<std::vector<bool>> current(
      units.per_layer, std::vector<bool>(request.nodes.size()));
  for (size_t u = 0; u < units.per_layer; ++u) {
    const size_t first = layer * request.grid->NumExperts() + u * units.size;
    for (size_t n = 0; n < request.nodes.size(); ++n) {
      current[u][n] = Hosts(request.nodes[n], units, first);
    }
  }
  return current;
}

Plan EmptyPlan(const PlanRequest& request) {
  return Plan(request.nodes.size(), ExpertSet(request.grid->Size(), false));
}

// A plan that only grows, layer by layer.
class Cover {
 public:
  explicit Cover(const PlanRequest& request)
      : request_(request), of_layer_(request.nodes.size(), 0) {
    for (const PlanNode& node : request.nodes) {
      plan_.push_back(node.current);
      total_.push_back(CountOf(node.current));
    }
  }

  // `first` is the layer's first expert.
  void StartLayer(size_t first) {
    for (size_t n = 0; n < plan_.size(); ++n) {
      const auto begin = plan_[n].begin() + static_cast<ptrdiff_t>(first);
      of_layer_[n] = static_cast<size_t>(std::count(
          begin, begin + static_cast<ptrdiff_t>(request_.grid->NumExperts()),
          true));
    }
  }

  // Those of a run of experts that no node hosts.
  std::vector<size_t> Orphans(size_t first, size_t count) const {
    std::vector<size_t> orphans;
    for (size_t i = first; i < first + count; ++i) {
      if (std::none_of(plan_.begin(), plan_.end(),
                       [i](const ExpertSet& set) { return set[i]; })) {
        orphans.push_back(i);
      }
    }
    return orphans;
  }

  // All on one node: the emptiest in this layer, then in all. False if none
  // has room.
  bool Place(const std::vector<size_t>& experts) {
    const size_t none = plan_.size();
    size_t best = none;
    for (size_t n = 0; n < plan_.size(); ++n) {
      if (total_[n] + experts.size() > request_.nodes[n].capacity) continue;
      if (best == none || std::pair(of_layer_[n], total_[n]) <
                              std::pair(of_layer_[best], total_[best])) {
        best = n;
      }
    }
    if (best == none) return false;
    for (const size_t expert : experts) plan_[best][expert] = true;
    total_[best] += experts.size();
    of_layer_[best] += experts.size();
    return true;
  }

  Plan TakePlan() { return std::move(plan_); }

 private:
  const PlanRequest& request_;
  Plan plan_;
  std::vector<size_t> total_;     // by node
  std::vector<size_t> of_layer_;  // by node
};

}  // namespace

absl::StatusOr<Plan> PlanPlacement(const PlanRequest& request) {
  RETURN_IF_ERROR(CheckRoom(request));
  const Units units = ChooseUnits(request);
  const size_t num_layers = request.grid->Layers().size();
  const size_t num_nodes = request.nodes.size();

  // Step 1: what is where now, in units.
  std::vector<std::vector<std::vector<bool>>> current;
  QuotaRequest quota{
      .num_layers = num_layers,
      .units_per_layer = units.per_layer,
      .num_replicas = static_cast<size_t>(request.num_replicas),
      .capacity = {},
      .current = std::vector(num_layers, std::vector<size_t>(num_nodes, 0))};
  for (size_t l = 0; l < num_layers; ++l) {
    current.push_back(CurrentUnits(request, units, l));
    for (const auto& unit : current.back()) {
      for (size_t n = 0; n < num_nodes; ++n) quota.current[l][n] += unit[n];
    }
  }
  for (const PlanNode& node : request.nodes) {
    quota.capacity.push_back(node.capacity / units.size);
  }

  // Step 2: how many units of each layer go to each node. Step 3: which.
  const auto quotas = NodeQuotas(quota);
  Plan plan = EmptyPlan(request);
  for (size_t l = 0; l < num_layers; ++l) {
    const auto hosts =
        AssignLayer({.num_units = units.per_layer,
                     .num_replicas = std::min(quota.num_replicas, num_nodes),
                     .quotas = quotas[l],
                     .current = std::move(current[l])});
    for (size_t u = 0; u < units.per_layer; ++u) {
      const size_t first = l * request.grid->NumExperts() + u * units.size;
      for (size_t n = 0; n < num_nodes; ++n) {
        if (!hosts[u][n]) continue;
        std::fill_n(plan[n].begin() + static_cast<ptrdiff_t>(first), units.size,
                    true);
      }
    }
  }
  return plan;
}

absl::StatusOr<Plan> PlanCover(const PlanRequest& request) {
  RETURN_IF_ERROR(CheckRoom(request));
  const size_t num_experts = request.grid->NumExperts();
  const size_t bundle =
      request.nodes.size() <= static_cast<size_t>(request.num_groups)
          ? num_experts / static_cast<size_t>(request.num_groups)
          : 1;
  Cover cover(request);
  for (size_t first = 0; first < request.grid->Size(); first += bundle) {
    if (first % num_experts == 0) cover.StartLayer(first);
    const std::vector<size_t> orphans = cover.Orphans(first, bundle);
    if (orphans.empty() || cover.Place(orphans)) continue;
    for (const size_t orphan : orphans) {
      if (!cover.Place({orphan})) {
        return absl::ResourceExhaustedError(
            "the expert nodes that are left have no room for what was lost");
      }
    }
  }
  return cover.TakePlan();
}

}  // namespace mesh::router
