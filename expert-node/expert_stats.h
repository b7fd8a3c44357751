// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "expert-node/data_plane.h"
#include "expert-node/expert_node.h"
#include "expert-node/expert_shard.h"
#include "router/transport/transport.h"

namespace mesh::expert {

// What a node holds and has done, at one moment. Plain data.
struct ExpertStats {
  ExpertNodeCounters counters = {};
  router::TransportStats transport = {};
  int num_experts = 0;
  size_t weight_bytes = 0;
};

// Any thread.
inline ExpertStats ReadStats(const DataPlane& plane, const ExpertShard& shard) {
  return {.counters = plane.Counters(),
          .transport = plane.Stats(),
          .num_experts = shard.NumExperts(),
          .weight_bytes = shard.SizeBytes()};
}

}  // namespace mesh::expert
