// SPDX-License-Identifier: Apache-2.0
#include "gateway/sampling_check.h"

#include <limits>

#include "absl/strings/str_cat.h"
#include "core/status_macros.h"
#include "gateway/api_error.h"
#include "gateway/generation_request.h"

namespace mesh::gateway {
namespace {

constexpr float kMaxTemperature = 2;
constexpr float kMaxPenalty = 2;  // presence and frequency, both signs
constexpr float kMaxRepetitionPenalty = 10;
constexpr float kMaxLogitBias = 100;

// Written so that a NaN is outside.
absl::Status CheckRange(absl::string_view name, float value, float least,
                        float most) {
  if (value >= least && value <= most) return absl::OkStatus();
  return InvalidField(
      name, "invalid_value",
      absl::StrCat(name, " is ", value, ", expected ", least, " to ", most));
}

// (0, most]. A NaN is outside.
absl::Status CheckPositive(absl::string_view name, float value, float most) {
  if (value > 0 && value <= most) return absl::OkStatus();
  return InvalidField(
      name, "invalid_value",
      absl::StrCat(name, " is ", value, ", expected more than 0 and at most ",
                   most));
}

absl::Status CheckLogitBias(const Sampling& sampling, int vocab_size) {
  RETURN_IF_ERROR(CheckCount("number of logit_bias entries", "logit_bias",
                             static_cast<int64_t>(sampling.logit_bias.size()),
                             0, vocab_size));
  for (const auto& [token, bias] : sampling.logit_bias) {
    if (token < 0 || token >= vocab_size) {
      return InvalidField("logit_bias", "token_out_of_range",
                          absl::StrCat("token of logit_bias is ", token,
                                       ", expected 0 to ", vocab_size - 1));
    }
    RETURN_IF_ERROR(
        CheckRange("logit_bias", bias, -kMaxLogitBias, kMaxLogitBias));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckCount(absl::string_view name, absl::string_view param,
                        int64_t value, int64_t least, int64_t most) {
  if (value >= least && value <= most) return absl::OkStatus();
  return InvalidField(
      param, "invalid_value",
      absl::StrCat(name, " is ", value, ", expected ", least, " to ", most));
}

absl::Status CheckSampling(const Sampling& sampling, int vocab_size) {
  RETURN_IF_ERROR(
      CheckRange("temperature", sampling.temperature, 0, kMaxTemperature));
  RETURN_IF_ERROR(CheckPositive("top_p", sampling.top_p, 1));
  RETURN_IF_ERROR(CheckCount("top_k", "top_k", sampling.top_k, 0,
                             std::numeric_limits<int>::max()));
  RETURN_IF_ERROR(CheckRange("min_p", sampling.min_p, 0, 1));
  RETURN_IF_ERROR(CheckRange("presence_penalty", sampling.presence_penalty,
                             -kMaxPenalty, kMaxPenalty));
  RETURN_IF_ERROR(CheckRange("frequency_penalty", sampling.frequency_penalty,
                             -kMaxPenalty, kMaxPenalty));
  RETURN_IF_ERROR(CheckPositive("repetition_penalty",
                                sampling.repetition_penalty,
                                kMaxRepetitionPenalty));
  RETURN_IF_ERROR(CheckLogitBias(sampling, vocab_size));
  RETURN_IF_ERROR(CheckCount(
      "number of stop_token_ids", "stop_token_ids",
      static_cast<int64_t>(sampling.stop_token_ids.size()), 0, vocab_size));
  RETURN_IF_ERROR(
      CheckTokenIds("stop_token_ids", sampling.stop_token_ids, vocab_size));
  return CheckCount("logprobs", "logprobs", sampling.num_logprobs, -1,
                    kMaxLogprobs);
}

}  // namespace mesh::gateway
