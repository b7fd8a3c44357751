// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

namespace mesh::gateway {

// Of a model, for a million tokens, in whatever currency the operator bills.
struct Prices {
  double prompt = 0;
  double cached_prompt = 0;  // of prompt tokens that were in the cache
  double completion = 0;
};

struct Usage {
  int num_prompt_tokens = 0;
  int num_cached_tokens = 0;  // of the prompt tokens
  int num_completion_tokens = 0;
  int num_reasoning_tokens = 0;  // of the completion tokens
};

// Appends `usage` as a JSON object, in OpenAI's and DeepSeek's words; with
// `cost` if there are prices.
void AppendUsage(const Usage& usage, const std::optional<Prices>& prices,
                 std::string* out);

}  // namespace mesh::gateway
