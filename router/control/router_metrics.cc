// SPDX-License-Identifier: Apache-2.0
#include "router/control/router_metrics.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "service/role.h"

namespace mesh::router {
namespace {

prometheus::Family<prometheus::Counter>& CounterFamily(
    prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}

prometheus::Family<prometheus::Gauge>& GaugeFamily(
    prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
}

// Counters of a model that was forgotten begin again.
void Raise(prometheus::Counter& counter, uint64_t value) {
  const double more = static_cast<double>(value) - counter.Value();
  if (more > 0) counter.Increment(more);
}

}  // namespace

RouterMetrics::RouterMetrics(prometheus::Registry& registry)
    : routed_tokens_(CounterFamily(registry, "mesh_expert_routed_tokens_total",
                                   "Rows that chose each expert.")),
      imbalance_(GaugeFamily(registry, "mesh_expert_load_imbalance_ratio",
                             "Largest over mean load of a layer's experts in "
                             "the last 10 s; 0 without load.")),
      bias_(GaugeFamily(registry, "mesh_gate_bias_abs_max",
                        "Largest change of a layer's gate bias that the "
                        "balancer proposes; nothing is applied.")),
      changes_(CounterFamily(registry, "mesh_placement_changes_total",
                             "Placements that became active.")),
      node_up_(GaugeFamily(registry, "mesh_node_up",
                           "Whether a node is a member of the mesh.")),
      generation_(GaugeFamily(registry, "mesh_placement_generation",
                              "Epoch of the active placement.")
                      .Add({})),
      term_(GaugeFamily(registry, "mesh_router_term", "The router's term.")
                .Add({})),
      apply_seconds_(GaugeFamily(registry, "mesh_placement_apply_seconds",
                                 "From plan to active, of the last placement.")
                         .Add({})),
      moved_bytes_(CounterFamily(registry, "mesh_placement_moved_bytes_total",
                                 "Weights that nodes were told to load.")
                       .Add({})),
      ignored_(CounterFamily(registry, "mesh_router_ignored_reports_total",
                             "Entries of reports that made no sense.")
                   .Add({})) {}

void RouterMetrics::Refresh(Controller& controller) {
  term_.Set(static_cast<double>(controller.Term()));
  Raise(ignored_, controller.NumIgnored());
  RefreshNodes(controller.Members());
  const PlacementControl* const placement = controller.PlacementState();
  if (placement == nullptr) return generation_.Set(0);
  generation_.Set(static_cast<double>(placement->ActiveEpoch()));
  const PlacementControl::Counters& counters = placement->GetCounters();
  apply_seconds_.Set(absl::ToDoubleSeconds(counters.last_apply));
  Raise(moved_bytes_, counters.moved_bytes);
  for (const auto& [reason, count] : counters.changes) {
    Raise(changes_.Add({{"reason", reason}}), count);
  }
  RefreshLoad(placement->Grid(), *controller.Load());
}

void RouterMetrics::RefreshLoad(const ExpertGrid& grid, LoadMonitor& load) {
  if (tokens_by_expert_.size() != grid.Size()) {
    tokens_by_expert_.clear();
    exported_.assign(grid.Size(), 0);
    for (size_t i = 0; i < grid.Size(); ++i) {
      const ExpertKey key = grid.KeyOf(i);
      tokens_by_expert_.push_back(
          &routed_tokens_.Add({{"layer", std::to_string(key.layer.value)},
                               {"expert", std::to_string(key.expert.value)}}));
    }
    imbalance_by_layer_.clear();
    bias_by_layer_.clear();
    for (const LayerId layer : grid.Layers()) {
      const prometheus::Labels labels = {
          {"layer", std::to_string(layer.value)}};
      imbalance_by_layer_.push_back(&imbalance_.Add(labels));
      bias_by_layer_.push_back(&bias_.Add(labels));
    }
  }
  const auto totals = load.Totals();
  for (size_t i = 0; i < totals.size(); ++i) {
    if (totals[i] == exported_[i]) continue;
    // After a model was forgotten, counting begins again from nothing.
    const uint64_t before = totals[i] < exported_[i] ? 0 : exported_[i];
    tokens_by_expert_[i]->Increment(static_cast<double>(totals[i] - before));
    exported_[i] = totals[i];
  }
  const auto table = load.Read(LoadSpan::kTenSeconds, {}, absl::Now());
  if (!table.ok()) return;
  for (size_t l = 0; l < table->layers.size(); ++l) {
    imbalance_by_layer_[l]->Set(table->layers[l].imbalance);
    float most = 0;
    for (const float bias : table->layers[l].proposed_bias) {
      most = std::max(most, std::abs(bias));
    }
    bias_by_layer_[l]->Set(most);
  }
}

void RouterMetrics::RefreshNodes(const MembershipTable& members) {
  std::set<std::pair<std::string, std::string>> known;
  for (const auto& [id, member] : members.All()) {
    const std::pair<std::string, std::string> key(
        std::string(service::RoleName(member.node.role)), member.node.name);
    known.insert(key);
    prometheus::Gauge*& gauge = up_[key];
    if (gauge == nullptr) {
      gauge = &node_up_.Add({{"role", key.first}, {"node", key.second}});
    }
    gauge->Set(member.Alive() ? 1 : 0);
  }
  for (auto it = up_.begin(); it != up_.end();) {
    if (known.count(it->first) > 0) {
      ++it;
      continue;
    }
    node_up_.Remove(it->second);
    it = up_.erase(it);
  }
}

}  // namespace mesh::router
