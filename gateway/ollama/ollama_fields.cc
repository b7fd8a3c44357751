// SPDX-License-Identifier: Apache-2.0
#include "gateway/ollama/ollama_fields.h"

#include "absl/strings/str_cat.h"

namespace mesh::gateway {
namespace {

std::string RangeOf(const RealField& field) {
  return field.above_least
             ? absl::StrCat("number, more than ", field.least, " and at most ",
                            field.most)
             : absl::StrCat("number, ", field.least, " to ", field.most);
}

std::string RangeOf(const IntField& field) {
  if (field.most == kMaxInt32) {
    return absl::StrCat("integer of 32 bits, at least ", field.least);
  }
  return absl::StrCat("integer, ", field.least, " to ", field.most);
}

template <typename Field>
OllamaField Option(const Field& field, std::string effect = "") {
  return {absl::StrCat("options.", field.name), RangeOf(field),
          std::move(effect)};
}

}  // namespace

std::vector<OllamaField> OllamaFields() {
  return {
      {"model",
       absl::StrCat("string, ", kModelField.min_bytes, " to ",
                    kModelField.max_bytes, " bytes"),
       "with or without :latest"},
      {"messages", absl::StrCat("array, at most ", kMaxChatMessages),
       "/api/chat; none: the model is only loaded"},
      {"messages[].role", "system, user or assistant", ""},
      {"messages[].content", "string", ""},
      {"messages[].thinking", "string", "of an assistant"},
      {"prompt", "string", "/api/generate; empty: the model is only loaded"},
      {"system", "string", "/api/generate; not with raw"},
      {"raw", "boolean", "/api/generate; the prompt gets no template"},
      {"stream", "boolean, true if absent", ""},
      {"think", "boolean, low, medium, high or max",
       "false also hides what a model thinks all the same"},
      {"logprobs", "boolean", ""},
      {"top_logprobs", RangeOf(kTopLogprobsField), "with logprobs"},
      {"options.seed", "integer of 64 bits",
       "negative: drawn, as if it were absent"},
      Option(kTemperatureField),
      Option(kTopKField, "-1 and 0: off"),
      Option(kTopPField),
      Option(kMinPField),
      Option(kRepeatPenaltyField),
      Option(kPresencePenaltyField),
      Option(kFrequencyPenaltyField),
      {"options.stop",
       absl::StrCat("string, or array of at most ", kMaxStops, ", each 1 to ",
                    kMaxStopBytes, " bytes"),
       ""},
      Option(kNumPredictField, "what is not positive: as the context allows"),
      Option(kNumCtxField, "none: the context is the model's"),
      {"keep_alive", "number or string",
       "none: the model stays; 0 where nothing is asked: "
       "done_reason is unload"},
  };
}

std::vector<absl::string_view> OllamaUnsupportedFields() {
  return {"context", "format", "images", "suffix", "template", "tools"};
}

}  // namespace mesh::gateway
