// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include "absl/time/time.h"

namespace mesh::router {

// How late an answer may be: doubles with each attempt, up to a thousandfold.
inline absl::Duration HedgeDelay(absl::Duration hedge_after, int num_attempts) {
  return hedge_after * (int64_t{1} << std::min(num_attempts, 10));
}

// How many frames may be sent again only because their answer is late: a tenth
// of what is sent for the first time, and 32 in a burst, so that a mesh which
// is slow because it is overloaded does not double its load. A trickle keeps
// silent losses from waiting forever. Owned by one thread.
class HedgeBudget {
 public:
  static constexpr double kPerFirstSend = 0.1;
  static constexpr double kPerSecond = 10;
  static constexpr double kBurst = 32;

  void OnFirstSend() { Add(kPerFirstSend); }

  // False if there is nothing left now.
  bool Take(absl::Time now) {
    Add(kPerSecond * absl::ToDoubleSeconds(now - filled_at_));
    filled_at_ = now;
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    return true;
  }

 private:
  void Add(double tokens) { tokens_ = std::min(kBurst, tokens_ + tokens); }

  double tokens_ = kBurst;
  absl::Time filled_at_ = absl::InfinitePast();
};

}  // namespace mesh::router
