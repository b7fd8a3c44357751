// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/ids.h"
#include "gateway/sampling.h"
#include "gateway/served_model.h"

namespace mesh::gateway {

inline constexpr size_t kMaxInputBytes = size_t{4} << 20;
inline constexpr size_t kMaxMessages = 10000;
inline constexpr size_t kMaxStops = 16;
inline constexpr size_t kMaxStopBytes = 256;
inline constexpr int kMaxLogprobs = 20;
inline constexpr int kMaxPriority = 7;
inline constexpr size_t kMaxRequestIdBytes = 128;
inline constexpr size_t kMaxCacheSaltBytes = 256;

struct MessageInput {
  std::string role;
  std::string content;
  std::string reasoning;

  friend bool operator==(const MessageInput&, const MessageInput&) = default;
};

// What is absent is as the model recommends.
struct SamplingInput {
  std::optional<float> temperature;
  std::optional<float> top_p;
  std::optional<int> top_k;
  std::optional<float> min_p;
  std::optional<float> presence_penalty;
  std::optional<float> frequency_penalty;
  std::optional<float> repetition_penalty;
  std::optional<uint64_t> seed;
  std::vector<std::pair<TokenId, float>> logit_bias;
};

using Messages = std::vector<MessageInput>;
// Nothing, a conversation, plain text, or token ids.
using PromptInput =
    std::variant<std::monostate, Messages, std::string, std::vector<TokenId>>;

// A request as it came, whatever the dialect. Fields mean what
// proto/mesh/gateway/v1/inference_service.proto says.
struct GenerateInput {
  std::string model;
  PromptInput prompt;
  bool text_from_ids = false;  // token ids are answered in text as well
  SamplingInput sampling;
  uint32_t max_tokens = 0;
  std::vector<std::string> stops;
  std::optional<uint32_t> logprobs;
  bool prompt_logprobs = false;
  std::optional<bool> thinking;
  std::vector<TokenId> stop_token_ids;
  bool ignore_eos = false;
  std::string request_id;
  uint32_t priority = 0;
  std::string cache_salt;
};

// A request that has been checked: nothing in it can make an attention node
// refuse it as invalid.
struct GenerationRequest {
  std::vector<TokenId> prompt;
  Sampling sampling;
  std::vector<std::string> stops;
  bool wants_text = true;            // token ids are answered in ids
  bool starts_in_reasoning = false;  // the prompt opens the thinking
  int priority = 0;
  std::string request_id;
  std::string cache_salt;  // as it came
};

// Checks everything and tokenizes. Pure. `max_positions`: tokens of prompt and
// answer together. `drawn_seed`: for a request without one. Errors:
// kInvalidArgument names the field, its value and its range, with the codes
// context_length_exceeded, token_out_of_range or invalid_value; kNotFound for
// another model (model_not_found).
absl::StatusOr<GenerationRequest> CheckGenerateInput(GenerateInput input,
                                                     const ServedModel& model,
                                                     int max_positions,
                                                     uint64_t drawn_seed);

struct EncodedPrompt {
  std::vector<TokenId> ids;
  bool starts_in_reasoning = false;
};

// The ids of a conversation, ready for the answer if there is to be one.
// Errors: kInvalidArgument names the field.
absl::StatusOr<EncodedPrompt> EncodeMessages(const Messages& messages,
                                             std::optional<bool> thinking,
                                             const ServedModel& model,
                                             bool add_generation_prompt = true);

// The ids of a text, behind the model's first token: as the model has seen
// every text in training. Errors: kInvalidArgument.
absl::StatusOr<std::vector<TokenId>> EncodeTextPrompt(absl::string_view text,
                                                      const ServedModel& model);

// Errors: kInvalidArgument if a text is longer than kMaxInputBytes.
absl::Status CheckInputBytes(absl::string_view name, size_t num_bytes);

// Errors: kInvalidArgument, `name` first.
absl::Status CheckTokenIds(absl::string_view name,
                           const std::vector<TokenId>& ids, int vocab_size);

// Nothing to say against an empty one. Errors: kInvalidArgument.
absl::Status CheckRequestId(absl::string_view request_id);

}  // namespace mesh::gateway
