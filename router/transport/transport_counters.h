// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "absl/base/thread_annotations.h"
#include "core/mutex.h"
#include "router/transport/transport.h"

namespace mesh::router {

// What TransportStats is read from. Thread-safe.
struct TransportCounters {
  std::atomic<int> num_links = 0;
  std::atomic<uint64_t> frames_sent = 0;
  std::atomic<uint64_t> bytes_sent = 0;
  std::atomic<uint64_t> frames_received = 0;
  std::atomic<uint64_t> bytes_received = 0;
  std::atomic<uint64_t> hellos_rejected = 0;
  std::atomic<uint64_t> messages_dropped = 0;

  void SetLane(const std::string& lane) {
    MutexLock lock(mutex_);
    lane_ = lane;
  }

  TransportStats Read() const {
    TransportStats stats{.lane = {},
                         .num_links = num_links,
                         .frames_sent = frames_sent,
                         .bytes_sent = bytes_sent,
                         .frames_received = frames_received,
                         .bytes_received = bytes_received,
                         .hellos_rejected = hellos_rejected,
                         .messages_dropped = messages_dropped};
    MutexLock lock(mutex_);
    if (stats.num_links > 0) stats.lane = lane_;
    return stats;
  }

 private:
  mutable Mutex mutex_;
  std::string lane_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace mesh::router
