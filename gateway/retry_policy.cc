// SPDX-License-Identifier: Apache-2.0
#include "gateway/retry_policy.h"

#include <algorithm>

namespace mesh::gateway {

bool IsRetryable(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kDataLoss:
    // The experts' time was up; the stream's own deadline has its own reason.
    case absl::StatusCode::kDeadlineExceeded:
    // An earlier attempt is still being cleared away at that node.
    case absl::StatusCode::kAlreadyExists:
      return true;
    default:
      return false;
  }
}

absl::Duration Backoff(int num_failures, absl::Duration first,
                       absl::Duration longest) {
  const int doublings = std::min(num_failures - 1, 16);
  return std::min(first * (1 << std::max(doublings, 0)), longest);
}

}  // namespace mesh::gateway
