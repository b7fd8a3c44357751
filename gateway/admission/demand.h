// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>

#include "absl/time/time.h"
#include "gateway/admission/tenant.h"

namespace mesh::gateway {

// What a request asks for.
struct Demand {
  std::shared_ptr<const Tenant> tenant;  // never null
  size_t num_prompt_tokens = 0;
  size_t max_tokens = 0;
  size_t num_bytes = 0;  // that it keeps in memory while it waits
  int priority = 0;      // among those of its tenant; higher goes first
  absl::Time deadline = absl::InfiniteFuture();
};

// What demands take together.
struct DemandSize {
  size_t count = 0;
  size_t tokens = 0;
  size_t bytes = 0;

  static DemandSize Of(const Demand& demand) {
    return {1, demand.num_prompt_tokens + demand.max_tokens, demand.num_bytes};
  }
  DemandSize& operator+=(const DemandSize& other) {
    count += other.count;
    tokens += other.tokens;
    bytes += other.bytes;
    return *this;
  }
  DemandSize& operator-=(const DemandSize& other) {
    count -= other.count;
    tokens -= other.tokens;
    bytes -= other.bytes;
    return *this;
  }
  friend DemandSize operator+(DemandSize left, const DemandSize& right) {
    return left += right;
  }
  friend bool operator==(const DemandSize&, const DemandSize&) = default;
};

}  // namespace mesh::gateway
