// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/json.h"
#include "gateway/answer_stream.h"
#include "gateway/openai/usage.h"
#include "gateway/tokenizer.h"

// What the fast writers must write, put together the obvious way.
namespace mesh::gateway {

inline Json SlowUsage(const Usage& usage, const std::optional<Prices>& prices) {
  Json json = {
      {"prompt_tokens", usage.num_prompt_tokens},
      {"completion_tokens", usage.num_completion_tokens},
      {"total_tokens", usage.num_prompt_tokens + usage.num_completion_tokens},
      {"prompt_tokens_details", {{"cached_tokens", usage.num_cached_tokens}}},
      {"completion_tokens_details",
       {{"reasoning_tokens", usage.num_reasoning_tokens}}},
      {"prompt_cache_hit_tokens", usage.num_cached_tokens},
      {"prompt_cache_miss_tokens",
       usage.num_prompt_tokens - usage.num_cached_tokens}};
  if (prices.has_value()) {
    json["cost"] =
        ((usage.num_prompt_tokens - usage.num_cached_tokens) * prices->prompt +
         usage.num_cached_tokens * prices->cached_prompt +
         usage.num_completion_tokens * prices->completion) /
        1e6;
  }
  return json;
}

// Text as it can stand in JSON, by way of the parser's own replacement.
inline std::string SlowText(absl::string_view bytes) {
  const Json json = std::string(bytes);
  return Json::parse(json.dump(-1, ' ', false, Json::error_handler_t::replace))
      .get<std::string>();
}

inline Json SlowToken(TokenId id, float logprob, const Tokenizer& tokenizer) {
  const absl::string_view bytes = tokenizer.TokenBytes(id);
  Json list = Json::array();
  for (const char byte : bytes) list.push_back(static_cast<uint8_t>(byte));
  return {{"token", SlowText(bytes)},
          {"logprob", static_cast<double>(logprob)},
          {"bytes", list}};
}

inline Json SlowLogprobs(const std::vector<EmittedToken>& tokens,
                         const Tokenizer& tokenizer) {
  Json list = Json::array();
  for (const EmittedToken& token : tokens) {
    if (tokenizer.IsSpecial(token.id)) continue;
    Json entry = SlowToken(token.id, token.logprob, tokenizer);
    entry["top_logprobs"] = Json::array();
    for (const TokenLogprob& top : token.top) {
      entry["top_logprobs"].push_back(
          SlowToken(top.id, top.logprob, tokenizer));
    }
    list.push_back(entry);
  }
  return list;
}

}  // namespace mesh::gateway
