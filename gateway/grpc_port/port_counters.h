// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "gateway/grpc_port/close_reason.h"

namespace mesh::gateway {

// Connections of one port that ended, by reason. Thread-safe.
class PortCounters {
 public:
  void CountClosed(CloseReason reason) {
    closed_[static_cast<size_t>(reason)].fetch_add(1,
                                                   std::memory_order_relaxed);
  }
  uint64_t NumClosed(CloseReason reason) const {
    return closed_[static_cast<size_t>(reason)].load(std::memory_order_relaxed);
  }

 private:
  std::array<std::atomic<uint64_t>, kNumCloseReasons> closed_ = {};
};

}  // namespace mesh::gateway
