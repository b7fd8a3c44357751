// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace mesh::gateway {

// Whether another attempt may give another answer.
bool IsRetryable(const absl::Status& status);

// How long to wait before the next attempt: doubles with each failure.
absl::Duration Backoff(int num_failures, absl::Duration first,
                       absl::Duration longest);

}  // namespace mesh::gateway
