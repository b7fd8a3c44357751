// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "router/control/bias_balancer.h"
#include "router/control/load_tracker.h"
#include "router/control/messages.h"
#include "router/placement/expert_grid.h"

namespace mesh::router {

// The load of each layer as it is shown, and what the balancer would do about
// it: it only observes. Owned by the control thread.
class LoadMonitor {
 public:
  struct Layer {
    LayerId layer;
    std::vector<uint64_t> tokens;  // by expert
    double imbalance = 0;
    std::vector<float> proposed_bias;  // by expert
  };
  struct Table {
    LoadSpan span = LoadSpan::kTotal;
    absl::Duration covered;
    std::vector<Layer> layers;
  };

  // `grid` outlives the monitor.
  LoadMonitor(const ExpertGrid& grid, absl::Time now)
      : grid_(grid), tracker_(grid.Size(), now), bias_(grid.Size(), 0) {}

  void Start(NodeId node, bool history) { tracker_.Start(node, history); }
  void Forget(NodeId node) { tracker_.Forget(node); }
  // Returns how many entries were ignored. Errors: kInvalidArgument for an
  // expert that is not in the model; nothing is counted then.
  absl::StatusOr<size_t> Report(NodeId node,
                                std::span<const ExpertTokens> experts,
                                absl::Time now);

  // Steps the balancer if that is due.
  void Step(absl::Time now);
  absl::Time NextStep() const { return next_step_; }

  // Only `layers`, or all if that is empty. Errors: kInvalidArgument for a
  // layer without routed experts.
  absl::StatusOr<Table> Read(LoadSpan span, std::span<const LayerId> layers,
                             absl::Time now);
  std::span<const uint64_t> Totals() const { return tracker_.Totals(); }

 private:
  const ExpertGrid& grid_;
  LoadTracker tracker_;
  std::vector<float> bias_;  // by index
  absl::Time next_step_ = absl::InfiniteFuture();
};

}  // namespace mesh::router
