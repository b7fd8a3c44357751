// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/time/time.h"

namespace mesh::router {

// Sums of counters over the last stretch of time: a ring of buckets. The sums
// are exact for the time that CoveredSince() tells, which is at most one bucket
// shorter than the window. Owned by one thread.
class LoadWindow {
 public:
  LoadWindow(size_t num_counters, absl::Duration length, size_t num_buckets,
             absl::Time start);

  void Add(size_t counter, uint64_t amount, absl::Time now);
  // Drops what is too old.
  void Advance(absl::Time now);
  const std::vector<uint64_t>& Sums() const { return sums_; }
  absl::Time CoveredSince() const;

 private:
  const absl::Duration bucket_;
  const absl::Time start_;
  // Counts buckets from start_; the ring holds the last ring_.size() of them.
  int64_t newest_ = 0;
  std::vector<std::vector<uint64_t>> ring_;
  std::vector<uint64_t> sums_;
};

}  // namespace mesh::router
