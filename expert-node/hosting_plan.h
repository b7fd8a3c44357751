// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "core/ids.h"
#include "router/placement/placement.h"

namespace mesh::expert {

enum class HostingPhase {
  kLoad,    // have what is named; keep everything else
  kRetire,  // have what is named, and nothing else
};

// What the router wants in memory. Complete: a later order replaces an earlier
// one.
struct HostingOrder {
  uint64_t epoch = 0;
  HostingPhase phase = HostingPhase::kLoad;
  std::vector<router::ExpertKey> experts = {};  // the most urgent first
};

// What a node can host.
struct HostingLimits {
  std::vector<LayerId> layers = {};  // the MoE layers, ascending
  int num_experts = 0;               // routed experts of a layer
  int64_t capacity = 0;              // experts that fit into memory
};

// The steps from what is held to what is ordered. What goes is unloaded first,
// so that a node never holds more than before and after.
struct HostingPlan {
  std::vector<router::ExpertKey> unload;  // ascending
  std::vector<router::ExpertKey> load;    // in the order's order
};

// Pure. `held` in any order. Errors: kInvalidArgument for an expert that the
// model does not have; kResourceExhausted if there is no room.
absl::StatusOr<HostingPlan> PlanHosting(
    const HostingOrder& order, const HostingLimits& limits,
    std::span<const router::ExpertKey> held);

}  // namespace mesh::expert
