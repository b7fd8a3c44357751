// SPDX-License-Identifier: Apache-2.0
#include "gateway/admission/wait_estimate.h"

#include <algorithm>

namespace mesh::gateway {
namespace {

// So many usual intervals without an end are no chance any more.
constexpr double kStallIntervals = 8;

}  // namespace

void WaitEstimate::NoteEnd(absl::Duration stream_time, absl::Time now) {
  stream_seconds_.Add(absl::ToDoubleSeconds(stream_time));
  last_end_ = now;
}

absl::Duration WaitEstimate::ForEnds(double num_ends, double num_slots,
                                     absl::Time now) const {
  if (num_ends <= 0) return absl::ZeroDuration();
  if (num_slots <= 0) return absl::InfiniteDuration();
  if (!stream_seconds_.HasAny()) return absl::ZeroDuration();
  double interval = stream_seconds_.Get() / num_slots;
  const double silent = absl::ToDoubleSeconds(now - last_end_);
  if (silent > kStallIntervals * interval) interval = silent;
  return absl::Seconds(num_ends * interval);
}

}  // namespace mesh::gateway
