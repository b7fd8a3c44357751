// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "gateway/sampling.h"

namespace mesh::gateway {

// kInvalidArgument, "NAME is VALUE, expected LEAST to MOST", unless it is.
// `name` says what is counted; `param` is the field that it is counted of.
absl::Status CheckCount(absl::string_view name, absl::string_view param,
                        int64_t value, int64_t least, int64_t most);

// Checks every field of `sampling` but max_tokens, with the ranges of the
// attention nodes. Errors: kInvalidArgument names the field, its value and its
// range.
absl::Status CheckSampling(const Sampling& sampling, int vocab_size);

}  // namespace mesh::gateway
