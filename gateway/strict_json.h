// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/json.h"

namespace mesh::gateway {

struct StrictJsonLimits {
  int max_depth = 32;
  size_t max_keys = 256;  // of one object
  size_t max_string_bytes = size_t{2} << 20;
  size_t max_number_chars = 32;
};

// Reads JSON that a stranger wrote: one value, perhaps behind a byte order
// mark, and nothing after it. Limits are checked before memory is taken; time
// is linear in the text, whatever the keys. Whole numbers of 64 bits stay
// whole. Errors: those of InvalidField, with the byte offset, and a code:
// invalid_json, too_deep, too_many_keys, duplicate_key, invalid_utf8 (also a
// lone surrogate), string_too_long, number_out_of_range.
absl::StatusOr<Json> ParseStrictJson(absl::string_view text,
                                     const StrictJsonLimits& limits = {});

}  // namespace mesh::gateway
