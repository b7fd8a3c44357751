// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gateway/admission/admission_stats.h"

namespace mesh::gateway {

// What a client is told.
absl::Status RefusalOf(ShedReason reason, absl::Duration retry_after);

}  // namespace mesh::gateway
