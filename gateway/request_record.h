// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "absl/time/time.h"

namespace mesh::gateway {

// What a finished request counts for.
struct RequestRecord {
  std::string outcome;  // "stop", "length", "cancelled" or a status code's name
  absl::Duration duration;
  int num_prompt_tokens = 0;
  int num_cached_tokens = 0;  // of the prompt tokens
  int num_completion_tokens = 0;
  int num_reasoning_tokens = 0;  // of the completion tokens
};

}  // namespace mesh::gateway
