// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>

namespace mesh::gateway {

// Since the start, for metrics. Thread-safe.
struct AcceptCounters {
  std::atomic<uint64_t> accepted = 0;
  // Closed at once, because of a limit.
  std::atomic<uint64_t> refused_total = 0;
  std::atomic<uint64_t> refused_per_address = 0;
  std::atomic<uint64_t> refused_rate = 0;
  // The process had no descriptor left.
  std::atomic<uint64_t> refused_descriptors = 0;
};

}  // namespace mesh::gateway
