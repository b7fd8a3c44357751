// SPDX-License-Identifier: Apache-2.0
#include "router/control/load_window.h"

#include <algorithm>

namespace mesh::router {

LoadWindow::LoadWindow(size_t num_counters, absl::Duration length,
                       size_t num_buckets, absl::Time start)
    : bucket_(length / static_cast<int64_t>(num_buckets)),
      start_(start),
      ring_(num_buckets, std::vector<uint64_t>(num_counters, 0)),
      sums_(num_counters, 0) {}

void LoadWindow::Advance(absl::Time now) {
  const int64_t current = (now - start_) / bucket_;
  const auto size = static_cast<int64_t>(ring_.size());
  // Buckets that were left out long ago need no second emptying.
  newest_ = std::max(newest_, current - size);
  while (newest_ < current) {
    ++newest_;
    auto& bucket = ring_[static_cast<size_t>(newest_ % size)];
    for (size_t i = 0; i < bucket.size(); ++i) sums_[i] -= bucket[i];
    std::fill(bucket.begin(), bucket.end(), 0);
  }
}

void LoadWindow::Add(size_t counter, uint64_t amount, absl::Time now) {
  Advance(now);
  const auto size = static_cast<int64_t>(ring_.size());
  ring_[static_cast<size_t>(newest_ % size)][counter] += amount;
  sums_[counter] += amount;
}

absl::Time LoadWindow::CoveredSince() const {
  const auto size = static_cast<int64_t>(ring_.size());
  const int64_t oldest = std::max<int64_t>(0, newest_ - size + 1);
  return start_ + oldest * bucket_;
}

}  // namespace mesh::router
