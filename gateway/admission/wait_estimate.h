// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "absl/time/time.h"
#include "gateway/admission/recent_mean.h"

namespace mesh::gateway {

// How long until streams become free, from how long they have taken lately.
// Guarded by Admission.
class WaitEstimate {
 public:
  // A stream has ended.
  void NoteEnd(absl::Duration stream_time, absl::Time now);
  // Streams begin to wait for each other: nothing has ended because nothing
  // was full.
  void NoteFull(absl::Time now) { last_end_ = now; }

  // Until `num_ends` streams of `num_slots` that are all taken have ended.
  // Zero as long as nothing is known; infinite without slots.
  absl::Duration ForEnds(double num_ends, double num_slots,
                         absl::Time now) const;

  // Zero: not known.
  absl::Duration MeanStreamTime() const {
    return absl::Seconds(stream_seconds_.Get());
  }

 private:
  RecentMean stream_seconds_;
  absl::Time last_end_ = absl::InfinitePast();
};

}  // namespace mesh::gateway
