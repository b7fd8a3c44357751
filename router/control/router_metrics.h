// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "router/control/controller.h"

namespace mesh::router {

// What the control plane exports. Refresh() copies the controller's numbers;
// the objects of a series are kept, never looked up. Owned by the control
// thread.
class RouterMetrics {
 public:
  // `registry` outlives the metrics.
  explicit RouterMetrics(prometheus::Registry& registry);

  void Refresh(Controller& controller);

 private:
  void RefreshLoad(const ExpertGrid& grid, LoadMonitor& load);
  void RefreshNodes(const MembershipTable& members);

  prometheus::Family<prometheus::Counter>& routed_tokens_;
  prometheus::Family<prometheus::Gauge>& imbalance_;
  prometheus::Family<prometheus::Gauge>& bias_;
  prometheus::Family<prometheus::Counter>& changes_;
  prometheus::Family<prometheus::Gauge>& node_up_;
  prometheus::Gauge& generation_;
  prometheus::Gauge& term_;
  prometheus::Gauge& apply_seconds_;
  prometheus::Counter& moved_bytes_;
  prometheus::Counter& ignored_;

  // By index of the grid, and what each has been given.
  std::vector<prometheus::Counter*> tokens_by_expert_;
  std::vector<uint64_t> exported_;
  std::vector<prometheus::Gauge*> imbalance_by_layer_;
  std::vector<prometheus::Gauge*> bias_by_layer_;
  std::map<std::pair<std::string, std::string>, prometheus::Gauge*> up_;
};

}  // namespace mesh::router
