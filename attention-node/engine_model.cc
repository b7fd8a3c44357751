// SPDX-License-Identifier: Apache-2.0
#include "attention-node/engine_model.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <span>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "attention-node/logprobs.h"
#include "core/status_macros.h"

namespace mesh::attention {
namespace {

// The widest ranges that any of the served dialects has.
constexpr float kMaxTemperature = 2;
constexpr float kMaxPenalty = 2;  // presence and frequency, both signs
constexpr float kMaxRepetitionPenalty = 10;
constexpr float kMaxLogitBias = 100;
constexpr int kMaxCacheSaltBytes = 64;

// Written so that a NaN is outside.
absl::Status CheckRange(absl::string_view name, float value, float least,
                        float most) {
  if (value >= least && value <= most) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(name, " is ", value, ", expected ", least, " to ", most));
}

absl::Status CheckCount(absl::string_view name, int64_t value, int64_t least,
                        int64_t most) {
  if (value >= least && value <= most) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(name, " is ", value, ", expected ", least, " to ", most));
}

absl::Status CheckTokens(absl::string_view name,
                         std::span<const TokenId> tokens, int vocab_size) {
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i] >= 0 && tokens[i] < vocab_size) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(name, "[", i, "] is token ", tokens[i], ", expected 0 to ",
                     vocab_size - 1));
  }
  return absl::OkStatus();
}

// (0, most]. A NaN is outside.
absl::Status CheckPositive(absl::string_view name, float value, float most) {
  if (value > 0 && value <= most) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      name, " is ", value, ", expected more than 0 and at most ", most));
}

absl::Status CheckSampling(const SamplingParams& params, int vocab_size) {
  RETURN_IF_ERROR(
      CheckRange("temperature", params.temperature, 0, kMaxTemperature));
  RETURN_IF_ERROR(CheckPositive("top_p", params.top_p, 1));
  RETURN_IF_ERROR(
      CheckCount("top_k", params.top_k, 0, std::numeric_limits<int>::max()));
  RETURN_IF_ERROR(CheckRange("min_p", params.min_p, 0, 1));
  RETURN_IF_ERROR(CheckRange("presence_penalty", params.presence_penalty,
                             -kMaxPenalty, kMaxPenalty));
  RETURN_IF_ERROR(CheckRange("frequency_penalty", params.frequency_penalty,
                             -kMaxPenalty, kMaxPenalty));
  RETURN_IF_ERROR(CheckPositive("repetition_penalty", params.repetition_penalty,
                                kMaxRepetitionPenalty));
  RETURN_IF_ERROR(CheckCount("number of logit_bias entries",
                             static_cast<int64_t>(params.logit_bias.size()), 0,
                             vocab_size));
  for (const auto& [token, bias] : params.logit_bias) {
    RETURN_IF_ERROR(CheckTokens("logit_bias", {&token, 1}, vocab_size));
    RETURN_IF_ERROR(
        CheckRange("logit_bias", bias, -kMaxLogitBias, kMaxLogitBias));
  }
  RETURN_IF_ERROR(CheckCount("number of stop_token_ids",
                             static_cast<int64_t>(params.stop_token_ids.size()),
                             0, vocab_size));
  RETURN_IF_ERROR(
      CheckTokens("stop_token_ids", params.stop_token_ids, vocab_size));
  // Prompt logprobs need to know how many.
  return CheckCount("num_logprobs", params.num_logprobs,
                    params.prompt_logprobs ? 0 : -1, kMaxLogprobs);
}

absl::Status CheckLengths(const Transcript& transcript, int max_positions) {
  const auto num_prompt = static_cast<int64_t>(transcript.prompt.size());
  const int64_t max_tokens = transcript.sampling.max_tokens;
  if (num_prompt == 0) return absl::InvalidArgumentError("prompt is empty");
  RETURN_IF_ERROR(
      CheckCount("max_tokens", max_tokens, 1, std::numeric_limits<int>::max()));
  if (num_prompt + max_tokens > max_positions) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the prompt has ", num_prompt, " tokens and max_tokens is ", max_tokens,
        ": ", num_prompt + max_tokens, " together; the context has ",
        max_positions));
  }
  return CheckCount("number of emitted tokens",
                    static_cast<int64_t>(transcript.emitted.size()), 0,
                    max_tokens);
}

absl::Status CheckSameEngine(const Transcript& transcript,
                             const EngineModel& model) {
  if (transcript.model != model.digest) {
    return absl::FailedPreconditionError(
        absl::StrCat("the request is for model ", transcript.model.ToHex(),
                     "; this engine runs ", model.digest.ToHex()));
  }
  if (transcript.numerics != model.numerics) {
    return absl::FailedPreconditionError(
        absl::StrCat("the request is of numerics class '", transcript.numerics,
                     "'; this engine computes in '", model.numerics, "'"));
  }
  if (transcript.routing_table_version != model.routing->version) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the request is of routing table ", transcript.routing_table_version,
        "; this engine holds ", model.routing->version));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ValidateTranscript(const Transcript& transcript,
                                const EngineModel& model) {
  RETURN_IF_ERROR(CheckLengths(transcript, model.max_positions));
  RETURN_IF_ERROR(CheckTokens("prompt", transcript.prompt, model.vocab_size));
  RETURN_IF_ERROR(CheckTokens("emitted", transcript.emitted, model.vocab_size));
  RETURN_IF_ERROR(CheckSampling(transcript.sampling, model.vocab_size));
  RETURN_IF_ERROR(CheckCount("number of bytes of cache_salt",
                             static_cast<int64_t>(transcript.cache_salt.size()),
                             0, kMaxCacheSaltBytes));
  return CheckSameEngine(transcript, model);
}

}  // namespace mesh::attention
