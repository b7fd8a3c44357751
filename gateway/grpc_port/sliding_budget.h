// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <vector>

#include "absl/time/time.h"

namespace mesh::gateway {

// At most `limit` events in any `window`, exactly. Memory grows with the
// events, to `limit` times. Used by one thread.
class SlidingBudget {
 public:
  SlidingBudget(size_t limit, absl::Duration window)
      : limit_(limit), window_(window) {}

  // False, and nothing noted, if an event at `now` would be one too many.
  // `now` never goes back.
  bool Charge(absl::Time now) {
    if (times_.size() < limit_) {
      times_.push_back(now);
      return true;
    }
    if (limit_ == 0 || now - times_[oldest_] < window_) return false;
    times_[oldest_] = now;
    oldest_ = (oldest_ + 1) % limit_;
    return true;
  }

 private:
  const size_t limit_;
  const absl::Duration window_;
  std::vector<absl::Time> times_;  // a ring once it is full
  size_t oldest_ = 0;
};

}  // namespace mesh::gateway
