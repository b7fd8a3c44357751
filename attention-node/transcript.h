// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/digest.h"
#include "core/ids.h"

namespace mesh::attention {

// How the next token is chosen. Fields mean what OpenAI's and vLLM's mean.
struct SamplingParams {
  float temperature = 1.0F;  // 0: greedy
  float top_p = 1.0F;
  int top_k = 0;  // 0: off
  float min_p = 0.0F;
  float presence_penalty = 0.0F;
  float frequency_penalty = 0.0F;
  float repetition_penalty = 1.0F;
  uint64_t seed = 0;  // drawn by the request's owner when the user gives none
  std::vector<std::pair<TokenId, float>> logit_bias = {};
  int num_logprobs = -1;  // top entries per token; -1: no logprobs, at most 20
  bool prompt_logprobs = false;  // also for prompt tokens, with num_logprobs
  int max_tokens = 0;            // emitted tokens at most
  // Emitted, and then the stream ends, like the model's own end of sequence.
  std::vector<TokenId> stop_token_ids = {};
  bool ignore_eos = false;  // only `stop_token_ids` and `max_tokens` end it
};

// All that a stream needs to go on elsewhere with the same bytes.
// Its owner (the gateway) appends to `emitted`; engines only read.
struct Transcript {
  RequestId request = {};
  uint32_t choice = 0;
  std::vector<TokenId> prompt = {};
  // Streams share computed prefixes only with those of the same salt.
  std::string cache_salt = {};
  SamplingParams sampling = {};
  uint32_t routing_table_version = 0;
  std::string numerics = {};  // Kernels::NumericsName()
  Digest model = {};
  std::vector<TokenId> emitted = {};
};

struct TokenLogprob {
  TokenId token = 0;
  float logprob = 0;
};

// One emitted token. Index counts from 0 in the stream, resumed or not.
struct EmittedToken {
  int index = 0;
  TokenId token = 0;
  float logprob = 0;  // natural log of softmax(logits); 0 unless asked for
  std::vector<TokenLogprob> top = {};  // num_logprobs entries, descending
};

// What the model thought of one prompt token, given those before it.
struct PromptLogprob {
  int position = 0;  // in the prompt; from 1, since nothing precedes the first
  TokenId token = 0;
  float logprob = 0;
  std::vector<TokenLogprob> top = {};  // num_logprobs entries, descending
};

enum class FinishReason { kStop, kLength, kCancelled, kDeadline, kFailed };

}  // namespace mesh::attention
