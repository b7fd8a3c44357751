// SPDX-License-Identifier: Apache-2.0
#include "router/answer_times.h"

#include <algorithm>

namespace mesh::router {

void AnswerTimes::Add(NodeId node, absl::Duration took) {
  const double seconds = absl::ToDoubleSeconds(took);
  const auto bucket = std::ranges::lower_bound(kBounds, seconds);
  Histogram& histogram = nodes_[node];
  ++histogram.counts[static_cast<size_t>(bucket - kBounds.begin())];
  histogram.sum += seconds;
}

void AnswerTimes::KeepOnly(std::span<const NodeId> nodes) {
  absl::erase_if(nodes_, [&](const auto& entry) {
    return std::ranges::find(nodes, entry.first) == nodes.end();
  });
}

}  // namespace mesh::router
