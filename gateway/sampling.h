// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "core/ids.h"

namespace mesh::gateway {

// How the next token is chosen. Fields mean what OpenAI's and vLLM's mean.
struct Sampling {
  float temperature = 1.0F;  // 0: greedy
  float top_p = 1.0F;
  int top_k = 0;  // 0: off
  float min_p = 0.0F;
  float presence_penalty = 0.0F;
  float frequency_penalty = 0.0F;
  float repetition_penalty = 1.0F;
  uint64_t seed = 0;
  std::vector<std::pair<TokenId, float>> logit_bias = {};
  int num_logprobs = -1;         // entries per token; -1: no logprobs
  bool prompt_logprobs = false;  // also for prompt tokens
  int max_tokens = 0;            // emitted tokens at most
  // Emitted, and then the stream ends, like the model's own end of sequence.
  std::vector<TokenId> stop_token_ids = {};
  bool ignore_eos = false;

  friend bool operator==(const Sampling&, const Sampling&) = default;
};

}  // namespace mesh::gateway
