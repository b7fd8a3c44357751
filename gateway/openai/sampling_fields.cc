// SPDX-License-Identifier: Apache-2.0
#include "gateway/openai/sampling_fields.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/status_macros.h"
#include "gateway/api_error.h"

namespace mesh::gateway {
namespace {

struct UnsupportedField {
  absl::string_view name;
  absl::string_view why;
};

constexpr absl::string_view kNoTools = "the model calls no tools";
constexpr absl::string_view kNoStructure = "answers are plain text";

constexpr UnsupportedField kUnsupported[] = {
    {"audio", "answers are text"},
    {"chat_template", "the model's own template is used"},
    {"function_call", kNoTools},
    {"functions", kNoTools},
    {"guided_choice", kNoStructure},
    {"guided_grammar", kNoStructure},
    {"guided_json", kNoStructure},
    {"guided_regex", kNoStructure},
    {"min_tokens", "the model decides where an answer ends"},
    {"moderation", "texts are not judged"},
    {"structured_outputs", kNoStructure},
    {"suffix", "the model writes at the end of a text"},
    {"use_beam_search", "answers are sampled"},
    {"web_search_options", kNoTools},
};

// false, 0, "", [] and {} ask for nothing.
bool AsksForNothing(const Json& value) {
  return value == false || value == 0 || value == "" ||
         (value.is_structured() && value.empty());
}

absl::Status ReadSampling(const RequestFields& fields, SamplingInput* input) {
  RETURN_IF_ERROR(fields.Read(kTemperatureField, &input->temperature));
  RETURN_IF_ERROR(fields.Read(kTopPField, &input->top_p));
  std::optional<int64_t> top_k;
  RETURN_IF_ERROR(fields.Read(kTopKField, &top_k));
  // -1 and 0 both mean: off.
  if (top_k) input->top_k = static_cast<int>(std::max<int64_t>(*top_k, 0));
  RETURN_IF_ERROR(fields.Read(kMinPField, &input->min_p));
  RETURN_IF_ERROR(fields.Read(kPresencePenaltyField, &input->presence_penalty));
  RETURN_IF_ERROR(
      fields.Read(kFrequencyPenaltyField, &input->frequency_penalty));
  RETURN_IF_ERROR(
      fields.Read(kRepetitionPenaltyField, &input->repetition_penalty));
  return fields.ReadSeed(&input->seed);
}

// Keys are token ids as strings.
absl::Status ReadLogitBias(const RequestFields& fields, SamplingInput* input) {
  constexpr absl::string_view kKey = "logit_bias";
  const Json* found = fields.Find(kKey);
  if (found == nullptr) return absl::OkStatus();
  if (!found->is_object()) return fields.WrongType(kKey, "an object");
  if (found->size() > kMaxLogitBiasEntries) {
    return fields.WrongValue(
        kKey, absl::StrCat("an object of ", found->size(), " entries"),
        absl::StrCat("at most ", kMaxLogitBiasEntries));
  }
  for (const auto& [key, value] : found->items()) {
    int32_t id = 0;
    if (!absl::SimpleAtoi(key, &id) || id < 0) {
      return InvalidField(
          kKey, "token_out_of_range",
          absl::StrCat("a key of logit_bias is ", QuotedText(key),
                       ", expected a token id"));
    }
    const std::string path = absl::StrCat("logit_bias.", id);
    if (!value.is_number()) return WrongTypeError(path, value, "a number");
    const auto bias = value.template get<double>();
    if (bias < kLogitBiasValue.least || bias > kLogitBiasValue.most) {
      return InvalidField(
          path, "invalid_value",
          absl::StrCat(path, " is ", value.dump(), ", expected ",
                       kLogitBiasValue.least, " to ", kLogitBiasValue.most));
    }
    input->logit_bias.emplace_back(id, static_cast<float>(bias));
  }
  return absl::OkStatus();
}

// A string or an array of strings.
absl::Status ReadStops(const RequestFields& fields,
                       std::vector<std::string>* stops) {
  constexpr absl::string_view kKey = "stop";
  const Json* found = fields.Find(kKey);
  if (found == nullptr) return absl::OkStatus();
  const Json list = found->is_array() ? *found : Json::array({*found});
  if (list.size() > kMaxStops) {
    return fields.WrongValue(
        kKey, absl::StrCat("an array of ", list.size(), " strings"),
        absl::StrCat("at most ", kMaxStops));
  }
  for (size_t i = 0; i < list.size(); ++i) {
    const std::string path =
        found->is_array() ? absl::StrCat(kKey, "[", i, "]") : std::string(kKey);
    if (!list[i].is_string()) {
      return WrongTypeError(path, list[i], "a string");
    }
    const auto& stop = list[i].get_ref<const std::string&>();
    if (stop.empty() || stop.size() > kMaxStopBytes) {
      return InvalidField(
          path, "invalid_value",
          absl::StrCat(path, " is ", stop.size(), " bytes long, expected 1 to ",
                       kMaxStopBytes));
    }
    stops->push_back(stop);
  }
  return absl::OkStatus();
}

absl::Status ReadStopTokenIds(const RequestFields& fields,
                              std::vector<TokenId>* ids) {
  const Json* found = fields.Find("stop_token_ids");
  if (found == nullptr) return absl::OkStatus();
  ASSIGN_OR_RETURN(*ids, TokenIdsOf(*found, fields.PathOf("stop_token_ids"),
                                    kMaxStopTokenIds));
  return absl::OkStatus();
}

absl::Status CheckMetadata(const RequestFields& fields) {
  constexpr absl::string_view kKey = "metadata";
  const Json* found = fields.Find(kKey);
  if (found == nullptr) return absl::OkStatus();
  if (!found->is_object()) return fields.WrongType(kKey, "an object");
  if (found->size() > kMaxMetadataEntries) {
    return fields.WrongValue(
        kKey, absl::StrCat("an object of ", found->size(), " entries"),
        absl::StrCat("at most ", kMaxMetadataEntries));
  }
  for (const auto& [key, value] : found->items()) {
    if (!value.is_string()) {
      return WrongTypeError(std::string(kKey), value, "strings as its values");
    }
    if (key.size() > kMaxMetadataKeyBytes ||
        value.template get_ref<const std::string&>().size() >
            kMaxMetadataValueBytes) {
      return fields.WrongValue(
          kKey, "an object with a longer entry",
          absl::StrCat("keys of at most ", kMaxMetadataKeyBytes,
                       " bytes and values of at most ",
                       kMaxMetadataValueBytes));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckWithoutEffect(const RequestFields& fields) {
  std::string ignored;
  RETURN_IF_ERROR(fields.Read(kUserField, &ignored));
  return CheckMetadata(fields);
}

// An object with a "type": only "text" is served.
absl::Status CheckResponseFormat(const RequestFields& fields) {
  const Json* found = fields.Find("response_format");
  if (found == nullptr) return absl::OkStatus();
  ASSIGN_OR_RETURN(
      const RequestFields format,
      RequestFields::From(*found, fields.PathOf("response_format")));
  ASSIGN_OR_RETURN(const Json* type, format.Require("type"));
  if (!type->is_string()) return format.WrongType("type", "a string");
  if (*type == "text") return absl::OkStatus();
  return fields.Unsupported("response_format", kNoStructure);
}

absl::Status CheckTools(const RequestFields& fields) {
  if (const Json* tools = fields.Find("tools")) {
    if (!tools->is_array()) return fields.WrongType("tools", "an array");
    if (!tools->empty()) return fields.Unsupported("tools", kNoTools);
  }
  const Json* choice = fields.Find("tool_choice");
  if (choice == nullptr || *choice == "none") return absl::OkStatus();
  return fields.Unsupported("tool_choice", kNoTools);
}

}  // namespace

absl::Status ReadCommon(const RequestFields& fields, GenerateInput* input) {
  RETURN_IF_ERROR(fields.Require(kModelField.name).status());
  RETURN_IF_ERROR(fields.Read(kModelField, &input->model));
  RETURN_IF_ERROR(ReadSampling(fields, &input->sampling));
  RETURN_IF_ERROR(ReadLogitBias(fields, &input->sampling));
  RETURN_IF_ERROR(ReadStops(fields, &input->stops));
  RETURN_IF_ERROR(ReadStopTokenIds(fields, &input->stop_token_ids));
  RETURN_IF_ERROR(fields.ReadBool("ignore_eos", &input->ignore_eos));
  std::optional<int64_t> priority;
  RETURN_IF_ERROR(fields.Read(kPriorityField, &priority));
  input->priority = static_cast<uint32_t>(priority.value_or(0));
  RETURN_IF_ERROR(fields.Read(kRequestIdField, &input->request_id));
  if (!CheckRequestId(input->request_id).ok()) {
    return fields.WrongValue(kRequestIdField.name,
                             QuotedText(input->request_id),
                             "letters, digits, '-', '_', '.' and ':'");
  }
  RETURN_IF_ERROR(fields.Read(kCacheSaltField, &input->cache_salt));
  return CheckWithoutEffect(fields);
}

absl::Status ReadStreamChoices(const RequestFields& fields,
                               StreamChoices* choices) {
  RETURN_IF_ERROR(fields.ReadBool("stream", &choices->stream));
  const Json* found = fields.Find("stream_options");
  if (found == nullptr) return absl::OkStatus();
  ASSIGN_OR_RETURN(
      const RequestFields options,
      RequestFields::From(*found, fields.PathOf("stream_options")));
  if (!choices->stream) {
    return fields.WrongValue("stream_options", "there without stream",
                             "it only with stream: true");
  }
  RETURN_IF_ERROR(options.ReadBool("include_usage", &choices->include_usage));
  return options.ReadBool("continuous_usage_stats", &choices->continuous_usage);
}

absl::Status ReadN(const RequestFields& fields, int* n) {
  std::optional<int64_t> value;
  RETURN_IF_ERROR(fields.Read(kNField, &value));
  *n = static_cast<int>(value.value_or(1));
  return absl::OkStatus();
}

absl::Status RefuseUnsupported(const RequestFields& fields) {
  for (const UnsupportedField& field : kUnsupported) {
    const Json* found = fields.Find(field.name);
    if (found == nullptr || AsksForNothing(*found)) continue;
    return fields.Unsupported(field.name, field.why);
  }
  RETURN_IF_ERROR(CheckTools(fields));
  return CheckResponseFormat(fields);
}

std::vector<absl::string_view> UnsupportedFields() {
  std::vector<absl::string_view> names;
  for (const UnsupportedField& field : kUnsupported) {
    names.push_back(field.name);
  }
  return names;
}

}  // namespace mesh::gateway
