// SPDX-License-Identifier: Apache-2.0
#include "gateway/openai/usage.h"

#include "absl/strings/str_cat.h"
#include "gateway/openai/json_text.h"

namespace mesh::gateway {
namespace {

double CostOf(const Usage& usage, const Prices& prices) {
  const int num_missed = usage.num_prompt_tokens - usage.num_cached_tokens;
  return (num_missed * prices.prompt +
          usage.num_cached_tokens * prices.cached_prompt +
          usage.num_completion_tokens * prices.completion) /
         1e6;
}

}  // namespace

void AppendUsage(const Usage& usage, const std::optional<Prices>& prices,
                 std::string* out) {
  absl::StrAppend(out, R"({"prompt_tokens":)", usage.num_prompt_tokens,
                  R"(,"completion_tokens":)", usage.num_completion_tokens,
                  R"(,"total_tokens":)",
                  usage.num_prompt_tokens + usage.num_completion_tokens,
                  R"(,"prompt_tokens_details":{"cached_tokens":)",
                  usage.num_cached_tokens);
  absl::StrAppend(out, R"(},"completion_tokens_details":{"reasoning_tokens":)",
                  usage.num_reasoning_tokens, R"(},"prompt_cache_hit_tokens":)",
                  usage.num_cached_tokens, R"(,"prompt_cache_miss_tokens":)",
                  usage.num_prompt_tokens - usage.num_cached_tokens);
  if (prices.has_value()) {
    absl::StrAppend(out, R"(,"cost":)");
    AppendJsonNumber(CostOf(usage, *prices), out);
  }
  out->push_back('}');
}

}  // namespace mesh::gateway
