// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "gateway/admission/demand.h"

namespace mesh::gateway {

// Why a request was refused.
enum class ShedReason {
  kRequestRate,  // more requests a minute than the tenant may
  kTokenRate,    // more tokens a minute
  kConcurrency,  // its streams would not end in time
  kWait,         // its turn would not come in time
  kFull,         // too much waits, most of it its tenant's
  kPushedOut,    // had to make room for another tenant's
  kTimedOut,     // its turn did not come in time
  kNoCapacity,   // there was nothing that carries streams
  kDeadline,
  kDraining,
};
inline constexpr size_t kNumShedReasons = 10;

// As a metric's label, for example "request_rate".
absl::string_view ShedReasonName(ShedReason reason);

// A snapshot.
struct AdmissionStats {
  int capacity = 0;
  int num_running = 0;
  DemandSize waiting;
  uint64_t num_admitted = 0;
  uint64_t num_cancelled = 0;  // while they waited
  std::array<uint64_t, kNumShedReasons> num_shed = {};
  absl::Duration mean_stream_time;    // zero: not known yet
  double mean_completion_tokens = 0;  // of a stream

  uint64_t NumShed(ShedReason reason) const {
    return num_shed[static_cast<size_t>(reason)];
  }
};

// What is left of a tenant's limits a minute, for x-ratelimit headers.
struct RateLimit {
  int64_t limit = 0;  // 0: there is none
  int64_t remaining = 0;
  absl::Duration until_full;
};
struct RateLimits {
  RateLimit requests;
  RateLimit tokens;
};

}  // namespace mesh::gateway
