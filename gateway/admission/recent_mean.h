// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>

namespace mesh::gateway {

// The mean of what was seen lately: of all while they are few, then one in
// which each new value counts for 1/64. Owned by one thread.
class RecentMean {
 public:
  void Add(double value) {
    count_ = std::min(count_ + 1, 64);
    mean_ += (value - mean_) / count_;
  }
  bool HasAny() const { return count_ > 0; }
  double Get() const { return mean_; }  // 0 if there is none

 private:
  int count_ = 0;
  double mean_ = 0;
};

}  // namespace mesh::gateway
