// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "gateway/sampling.h"

namespace mesh::gateway {

// "NAME is VALUE, expected LEAST to MOST" unless it is.
absl::Status CheckCount(absl::string_view name, int64_t value, int64_t least,
                        int64_t most);

// Checks every field of `sampling` but max_tokens, with the ranges of the
// attention nodes. Errors: kInvalidArgument names the field, its value and its
// range.
absl::Status CheckSampling(const Sampling& sampling, int vocab_size);

}  // namespace mesh::gateway
