// SPDX-License-Identifier: Apache-2.0
#include "gateway/ollama/ollama_options.h"

#include <algorithm>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/status_macros.h"
#include "gateway/api_error.h"
#include "gateway/ollama/ollama_fields.h"

namespace mesh::gateway {
namespace {

absl::Status ReadSampling(const RequestFields& options, SamplingInput* input) {
  RETURN_IF_ERROR(options.Read(kTemperatureField, &input->temperature));
  RETURN_IF_ERROR(options.Read(kTopPField, &input->top_p));
  std::optional<int64_t> top_k;
  RETURN_IF_ERROR(options.Read(kTopKField, &top_k));
  // -1 and 0 both mean: off.
  if (top_k) input->top_k = static_cast<int>(std::max<int64_t>(*top_k, 0));
  RETURN_IF_ERROR(options.Read(kMinPField, &input->min_p));
  RETURN_IF_ERROR(
      options.Read(kRepeatPenaltyField, &input->repetition_penalty));
  RETURN_IF_ERROR(
      options.Read(kPresencePenaltyField, &input->presence_penalty));
  RETURN_IF_ERROR(
      options.Read(kFrequencyPenaltyField, &input->frequency_penalty));
  RETURN_IF_ERROR(options.ReadSeed(&input->seed));
  const Json* seed = options.Find("seed");
  if (seed != nullptr && IntegerOf(*seed).value_or(0) < 0) input->seed.reset();
  return absl::OkStatus();
}

absl::Status ReadStop(const Json& value, const std::string& path,
                      std::vector<std::string>* stops) {
  if (!value.is_string()) return WrongTypeError(path, value, "a string");
  const auto& stop = value.get_ref<const std::string&>();
  if (stop.empty() || stop.size() > kMaxStopBytes) {
    return InvalidField(
        path, "invalid_value",
        absl::StrCat(path, " is ", stop.size(), " bytes long, expected 1 to ",
                     kMaxStopBytes));
  }
  stops->push_back(stop);
  return absl::OkStatus();
}

absl::Status ReadStops(const RequestFields& options,
                       std::vector<std::string>* stops) {
  constexpr absl::string_view kKey = "stop";
  const Json* found = options.Find(kKey);
  if (found == nullptr) return absl::OkStatus();
  const std::string path = options.PathOf(kKey);
  if (!found->is_array()) return ReadStop(*found, path, stops);
  if (found->size() > kMaxStops) {
    return options.WrongValue(
        kKey, absl::StrCat("an array of ", found->size(), " strings"),
        absl::StrCat("at most ", kMaxStops));
  }
  for (size_t i = 0; i < found->size(); ++i) {
    RETURN_IF_ERROR(
        ReadStop((*found)[i], absl::StrCat(path, "[", i, "]"), stops));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ReadOllamaOptions(const RequestFields& fields,
                               GenerateInput* input) {
  constexpr absl::string_view kKey = "options";
  const Json* found = fields.Find(kKey);
  if (found == nullptr) return absl::OkStatus();
  ASSIGN_OR_RETURN(const RequestFields options,
                   RequestFields::From(*found, fields.PathOf(kKey)));
  RETURN_IF_ERROR(ReadSampling(options, &input->sampling));
  RETURN_IF_ERROR(ReadStops(options, &input->stops));
  std::optional<int64_t> num_predict;
  std::optional<int64_t> num_ctx;
  RETURN_IF_ERROR(options.Read(kNumPredictField, &num_predict));
  RETURN_IF_ERROR(options.Read(kNumCtxField, &num_ctx));
  input->max_tokens =
      static_cast<uint32_t>(std::max<int64_t>(num_predict.value_or(0), 0));
  return absl::OkStatus();
}

}  // namespace mesh::gateway
