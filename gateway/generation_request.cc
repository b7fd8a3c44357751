// SPDX-License-Identifier: Apache-2.0
#include "gateway/generation_request.h"

#include <algorithm>
#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "core/status_macros.h"
#include "gateway/api_error.h"
#include "gateway/sampling_check.h"

namespace mesh::gateway {
namespace {

constexpr size_t kMaxQuotedBytes = 64;

// A user's string as it may stand in a one-line message.
std::string Quoted(absl::string_view text) {
  return absl::StrCat("'", absl::CEscape(text.substr(0, kMaxQuotedBytes)),
                      text.size() > kMaxQuotedBytes ? "..." : "", "'");
}

absl::StatusOr<EncodedPrompt> EncodePromptInput(GenerateInput& input,
                                                const ServedModel& model) {
  if (const auto* messages = std::get_if<Messages>(&input.prompt)) {
    return EncodeMessages(*messages, input.thinking, model);
  }
  if (const auto* text = std::get_if<std::string>(&input.prompt)) {
    if (text->empty()) {
      return InvalidField("text", "invalid_value", "text is empty");
    }
    EncodedPrompt prompt;
    ASSIGN_OR_RETURN(prompt.ids, EncodeTextPrompt(*text, model));
    return prompt;
  }
  if (auto* ids = std::get_if<std::vector<TokenId>>(&input.prompt)) {
    if (ids->empty()) {
      return InvalidField("token_ids", "invalid_value", "token_ids is empty");
    }
    RETURN_IF_ERROR(CheckTokenIds("token_ids", *ids, model.card.vocab_size));
    return EncodedPrompt{.ids = std::move(*ids)};
  }
  return absl::InvalidArgumentError(
      "the request has no input, expected messages, text or token_ids");
}

absl::Status CheckStops(const GenerateInput& input, bool wants_text) {
  RETURN_IF_ERROR(CheckCount("number of stop strings", "stop",
                             static_cast<int64_t>(input.stops.size()), 0,
                             kMaxStops));
  for (const std::string& stop : input.stops) {
    RETURN_IF_ERROR(CheckCount("length of a stop string in bytes", "stop",
                               static_cast<int64_t>(stop.size()), 1,
                               kMaxStopBytes));
  }
  if (!wants_text && !input.stops.empty()) {
    return InvalidField("stop", "invalid_value",
                        "stop needs text; with token_ids use stop_token_ids");
  }
  return absl::OkStatus();
}

// The fields that are given, laid over what the model recommends.
absl::StatusOr<Sampling> MakeSampling(const GenerateInput& input,
                                      const ModelCard& card,
                                      uint64_t drawn_seed) {
  const SamplingInput& given = input.sampling;
  Sampling sampling;
  sampling.temperature =
      given.temperature.value_or(card.temperature.value_or(0.0F));
  sampling.top_p = given.top_p.value_or(card.top_p.value_or(1.0F));
  sampling.top_k = given.top_k.value_or(sampling.top_k);
  sampling.min_p = given.min_p.value_or(sampling.min_p);
  sampling.presence_penalty =
      given.presence_penalty.value_or(sampling.presence_penalty);
  sampling.frequency_penalty =
      given.frequency_penalty.value_or(sampling.frequency_penalty);
  sampling.repetition_penalty =
      given.repetition_penalty.value_or(sampling.repetition_penalty);
  sampling.seed = given.seed.value_or(drawn_seed);
  sampling.logit_bias = given.logit_bias;
  sampling.prompt_logprobs = input.prompt_logprobs;
  sampling.stop_token_ids = input.stop_token_ids;
  sampling.ignore_eos = input.ignore_eos;
  if (input.logprobs.has_value()) {
    RETURN_IF_ERROR(
        CheckCount("logprobs", "logprobs", *input.logprobs, 0, kMaxLogprobs));
    sampling.num_logprobs = static_cast<int>(*input.logprobs);
  } else if (input.prompt_logprobs) {
    return InvalidField(
        "prompt_logprobs", "invalid_value",
        "prompt_logprobs needs logprobs, the number of entries per token");
  }
  RETURN_IF_ERROR(CheckSampling(sampling, card.vocab_size));
  return sampling;
}

absl::StatusOr<int> MaxTokens(uint32_t given, size_t num_prompt,
                              int max_positions,
                              absl::string_view prompt_param) {
  const int64_t room = max_positions - static_cast<int64_t>(num_prompt);
  if (room < 1) {
    return InvalidField(
        prompt_param, "context_length_exceeded",
        absl::StrCat("the prompt has ", num_prompt,
                     " tokens, expected at most ", max_positions - 1,
                     ": the context has ", max_positions));
  }
  if (given == 0) return static_cast<int>(room);
  if (given > room) {
    return InvalidField(
        "max_tokens", "context_length_exceeded",
        absl::StrCat("up to ", given, " new tokens are asked for and ", room,
                     " fit: the prompt has ", num_prompt,
                     " tokens and the context ", max_positions));
  }
  return static_cast<int>(given);
}

}  // namespace

absl::Status CheckInputBytes(absl::string_view name, size_t num_bytes) {
  return CheckCount(absl::StrCat("length of ", name, " in bytes"), name,
                    static_cast<int64_t>(num_bytes), 0, kMaxInputBytes);
}

absl::Status CheckTokenIds(absl::string_view name,
                           const std::vector<TokenId>& ids, int vocab_size) {
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] >= 0 && ids[i] < vocab_size) continue;
    const std::string item = absl::StrCat(name, "[", i, "]");
    return InvalidField(item, "token_out_of_range",
                        absl::StrCat(item, " is token ", ids[i],
                                     ", expected 0 to ", vocab_size - 1));
  }
  return absl::OkStatus();
}

absl::Status CheckRequestId(absl::string_view request_id) {
  RETURN_IF_ERROR(CheckCount("length of request_id in bytes", "request_id",
                             static_cast<int64_t>(request_id.size()), 0,
                             kMaxRequestIdBytes));
  const bool plain =
      std::all_of(request_id.begin(), request_id.end(), [](char c) {
        return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
               absl::string_view("-_.:").find(c) != absl::string_view::npos;
      });
  if (plain) return absl::OkStatus();
  return InvalidField(
      "request_id", "invalid_value",
      absl::StrCat("request_id is ", Quoted(request_id),
                   ", expected letters, digits, '-', '_', '.' and ':'"));
}

absl::StatusOr<EncodedPrompt> EncodeMessages(const Messages& messages,
                                             std::optional<bool> thinking,
                                             const ServedModel& model,
                                             bool add_generation_prompt) {
  RETURN_IF_ERROR(CheckCount("number of messages", "messages",
                             static_cast<int64_t>(messages.size()), 1,
                             kMaxMessages));
  std::vector<ChatMessage> chat;
  chat.reserve(messages.size());
  size_t num_bytes = 0;
  for (size_t i = 0; i < messages.size(); ++i) {
    const auto role = ParseRole(messages[i].role);
    if (!role.ok()) {
      const std::string param = absl::StrCat("messages[", i, "].role");
      return InvalidField(
          param, "invalid_value",
          absl::StrCat(param, " is ", Quoted(messages[i].role),
                       ", expected 'system', 'user' or 'assistant'"));
    }
    num_bytes += messages[i].content.size() + messages[i].reasoning.size();
    chat.push_back({*role, messages[i].content, messages[i].reasoning});
  }
  RETURN_IF_ERROR(CheckInputBytes("messages", num_bytes));
  RenderOptions options;
  options.thinking = thinking.value_or(options.thinking);
  options.add_generation_prompt = add_generation_prompt;
  const RenderedPrompt rendered = model.chat_template.Render(chat, options);
  EncodedPrompt prompt;
  prompt.starts_in_reasoning = rendered.starts_in_reasoning;
  ASSIGN_OR_RETURN(prompt.ids, EncodePrompt(*model.tokenizer, rendered));
  return prompt;
}

absl::StatusOr<std::vector<TokenId>> EncodeTextPrompt(
    absl::string_view text, const ServedModel& model) {
  RETURN_IF_ERROR(CheckInputBytes("text", text.size()));
  ASSIGN_OR_RETURN(std::vector<TokenId> ids, model.tokenizer->EncodeText(text));
  if (const auto bos = model.tokenizer->BosId()) {
    ids.insert(ids.begin(), *bos);
  }
  return ids;
}

absl::StatusOr<GenerationRequest> CheckGenerateInput(GenerateInput input,
                                                     const ServedModel& model,
                                                     int max_positions,
                                                     uint64_t drawn_seed) {
  if (!input.model.empty() && input.model != model.card.name) {
    return ModelNotFound(input.model);
  }
  RETURN_IF_ERROR(CheckRequestId(input.request_id));
  RETURN_IF_ERROR(
      CheckCount("priority", "priority", input.priority, 0, kMaxPriority));
  RETURN_IF_ERROR(CheckCount("length of cache_salt in bytes", "cache_salt",
                             static_cast<int64_t>(input.cache_salt.size()), 0,
                             kMaxCacheSaltBytes));
  GenerationRequest request;
  request.wants_text =
      input.text_from_ids ||
      !std::holds_alternative<std::vector<TokenId>>(input.prompt);
  RETURN_IF_ERROR(CheckStops(input, request.wants_text));
  ASSIGN_OR_RETURN(request.sampling,
                   MakeSampling(input, model.card, drawn_seed));
  ASSIGN_OR_RETURN(EncodedPrompt prompt, EncodePromptInput(input, model));
  ASSIGN_OR_RETURN(
      request.sampling.max_tokens,
      MaxTokens(
          input.max_tokens, prompt.ids.size(), max_positions,
          std::holds_alternative<Messages>(input.prompt) ? "messages" : ""));
  request.prompt = std::move(prompt.ids);
  request.starts_in_reasoning = prompt.starts_in_reasoning;
  request.stops = std::move(input.stops);
  request.priority = static_cast<int>(input.priority);
  request.request_id = std::move(input.request_id);
  request.cache_salt = std::move(input.cache_salt);
  return request;
}

}  // namespace mesh::gateway
