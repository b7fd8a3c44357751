// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "core/ids.h"

namespace mesh::router {

// How long expert nodes took to answer frames, as histograms that only grow.
// Owned by one thread; a copy is another's.
class AnswerTimes {
 public:
  // Upper ends of the buckets in seconds, included; one more has no end.
  static constexpr std::array kBounds = {0.0001, 0.00025, 0.0005, 0.001, 0.0025,
                                         0.005,  0.01,    0.025,  0.05,  0.1,
                                         0.25,   0.5,     1.0,    5.0};

  struct Histogram {
    std::array<int64_t, kBounds.size() + 1> counts =
        {};          // of each bucket alone
    double sum = 0;  // seconds
  };

  void Add(NodeId node, absl::Duration took);
  // Forgets all other nodes.
  void KeepOnly(std::span<const NodeId> nodes);

  const absl::flat_hash_map<NodeId, Histogram>& OfNodes() const {
    return nodes_;
  }

 private:
  absl::flat_hash_map<NodeId, Histogram> nodes_;
};

}  // namespace mesh::router
