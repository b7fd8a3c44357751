// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>

namespace mesh::router {

// Which sequence numbers have been seen: each is admitted once, in any order,
// as long as it is less than kSize behind the highest. Owned by one thread.
class ReplayWindow {
 public:
  static constexpr uint64_t kSize = 1024;

  // False for a number that was seen or is too old to tell.
  bool Admit(uint64_t sequence) {
    if (sequence >= next_) {
      Forget(sequence);
      next_ = sequence + 1;
    } else if (next_ - sequence > kSize || seen_[sequence % kSize]) {
      return false;
    }
    seen_[sequence % kSize] = true;
    return true;
  }

 private:
  // Makes room for [next_, sequence].
  void Forget(uint64_t sequence) {
    if (sequence - next_ >= kSize) {
      seen_.reset();
      return;
    }
    for (uint64_t s = next_; s != sequence; ++s) seen_[s % kSize] = false;
    seen_[sequence % kSize] = false;
  }

  std::bitset<kSize> seen_;
  uint64_t next_ = 0;  // one more than the highest seen
};

}  // namespace mesh::router
