// SPDX-License-Identifier: Apache-2.0
#include "gateway/openai/completion_request.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/status_macros.h"
#include "gateway/api_error.h"

namespace mesh::gateway {
namespace {

constexpr absl::string_view kPrompt = "prompt";

// A text or an array of token ids.
absl::StatusOr<PromptInput> PromptOf(const Json& value,
                                     const std::string& path) {
  if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    if (!text.empty()) return PromptInput(text);
  } else if (!value.is_array()) {
    return WrongTypeError(path, value, "a string or an array of token ids");
  } else if (!value.empty()) {
    ASSIGN_OR_RETURN(std::vector<TokenId> ids,
                     TokenIdsOf(value, path, kMaxTokenIds));
    return PromptInput(std::move(ids));
  }
  return InvalidField(
      path, "invalid_value",
      absl::StrCat(path, " is empty, expected a text or token ids"));
}

// A text, token ids, or an array of either.
absl::Status ReadPrompts(const RequestFields& fields,
                         std::vector<PromptInput>* prompts) {
  ASSIGN_OR_RETURN(const Json* found, fields.Require(kPrompt));
  const bool is_list =
      found->is_array() && !found->empty() && !found->front().is_number();
  if (!is_list) {
    ASSIGN_OR_RETURN(PromptInput prompt,
                     PromptOf(*found, std::string(kPrompt)));
    prompts->push_back(std::move(prompt));
    return absl::OkStatus();
  }
  if (found->size() > kMaxChoices) {
    return fields.WrongValue(
        kPrompt, absl::StrCat("an array of ", found->size(), " prompts"),
        absl::StrCat("at most ", kMaxChoices));
  }
  for (size_t i = 0; i < found->size(); ++i) {
    ASSIGN_OR_RETURN(PromptInput prompt,
                     PromptOf((*found)[i], absl::StrCat(kPrompt, "[", i, "]")));
    prompts->push_back(std::move(prompt));
  }
  return absl::OkStatus();
}

// As many as n, and not in a stream: choices are not ranked here.
absl::Status CheckBestOf(const RequestFields& fields, int n, bool stream) {
  constexpr IntField kBestOf{"best_of", 1, kNField.most};
  std::optional<int64_t> best_of;
  RETURN_IF_ERROR(fields.Read(kBestOf, &best_of));
  if (!best_of.has_value() || (*best_of == n && (n == 1 || !stream))) {
    return absl::OkStatus();
  }
  return fields.Unsupported("best_of",
                            "it may only be the same as n, and not "
                            "in a stream");
}

}  // namespace

absl::StatusOr<CompletionRequest> ParseCompletionRequest(
    absl::string_view body) {
  ASSIGN_OR_RETURN(const Json json, RequestFields::ParseBody(body));
  ASSIGN_OR_RETURN(const RequestFields fields, RequestFields::From(json, ""));
  CompletionRequest request;
  RETURN_IF_ERROR(ReadCommon(fields, &request.input));
  RETURN_IF_ERROR(ReadPrompts(fields, &request.prompts));
  RETURN_IF_ERROR(RefuseUnsupported(fields));
  std::optional<int64_t> max_tokens;
  RETURN_IF_ERROR(fields.Read(kMaxTokensField, &max_tokens));
  request.input.max_tokens =
      static_cast<uint32_t>(max_tokens.value_or(kDefaultCompletionTokens));
  std::optional<int64_t> logprobs;
  RETURN_IF_ERROR(fields.Read(kCompletionLogprobsField, &logprobs));
  if (logprobs) request.input.logprobs = static_cast<uint32_t>(*logprobs);
  RETURN_IF_ERROR(fields.ReadBool("echo", &request.echo));
  request.input.prompt_logprobs = request.echo && logprobs.has_value();
  RETURN_IF_ERROR(ReadN(fields, &request.n));
  RETURN_IF_ERROR(ReadStreamChoices(fields, &request.stream));
  RETURN_IF_ERROR(CheckBestOf(fields, request.n, request.stream.stream));
  const size_t num_choices =
      request.prompts.size() * static_cast<size_t>(request.n);
  if (num_choices > kMaxChoices) {
    return fields.WrongValue(
        "n",
        absl::StrCat(request.n, " for ", request.prompts.size(), " prompts"),
        absl::StrCat("at most ", kMaxChoices, " choices in all"));
  }
  return request;
}

}  // namespace mesh::gateway
