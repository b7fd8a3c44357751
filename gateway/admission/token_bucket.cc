// SPDX-License-Identifier: Apache-2.0
#include "gateway/admission/token_bucket.h"

#include <algorithm>

namespace mesh::gateway {

double TokenBucket::Level(absl::Time now) const {
  // A clock that was set back fills nothing.
  const double minutes = absl::FDivDuration(
      std::max(now - updated_, absl::ZeroDuration()), absl::Minutes(1));
  return std::min(per_minute_, level_ + minutes * per_minute_);
}

void TokenBucket::SetRate(double per_minute, absl::Time now) {
  if (per_minute == per_minute_) return;
  const double taken = IsLimited() ? per_minute_ - Level(now) : 0;
  per_minute_ = per_minute;
  level_ = per_minute - taken;
  updated_ = now;
}

absl::Duration TokenBucket::WaitFor(double cost, absl::Time now) const {
  if (!IsLimited()) return absl::ZeroDuration();
  const double missing = std::min(cost, per_minute_) - Level(now);
  // Rounding must not make somebody wait who has waited as told.
  if (missing <= 1e-9 * per_minute_) return absl::ZeroDuration();
  return absl::Minutes(missing / per_minute_);
}

void TokenBucket::Take(double cost, absl::Time now) {
  if (!IsLimited()) return;
  level_ = std::min(per_minute_, Level(now) - cost);
  updated_ = std::max(updated_, now);
}

}  // namespace mesh::gateway
