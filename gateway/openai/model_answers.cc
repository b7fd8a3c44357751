// SPDX-License-Identifier: Apache-2.0
#include "gateway/openai/model_answers.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/status_macros.h"
#include "gateway/openai/json_text.h"
#include "gateway/openai/tokenize_request.h"

namespace mesh::gateway {
namespace {

void AppendModel(const ModelCatalog::Entry& entry, absl::Time created,
                 int max_positions, std::string* out) {
  absl::StrAppend(out, R"({"id":)");
  AppendJsonString(entry.name, out);
  absl::StrAppend(out, R"(,"object":"model","created":)",
                  absl::ToUnixSeconds(created),
                  R"(,"owned_by":"expertmesh","root":)");
  AppendJsonString(entry.model, out);
  absl::StrAppend(out, R"(,"max_model_len":)", max_positions, "}");
}

void AppendIds(const std::vector<TokenId>& ids, std::string* out) {
  for (size_t i = 0; i < ids.size(); ++i) {
    absl::StrAppend(out, i == 0 ? "" : ",", ids[i]);
  }
}

}  // namespace

int ModelAnswers::MaxPositions() const {
  const int most = context_.model.card.max_positions;
  return std::min(most, context_.streams.MaxPositions().value_or(most));
}

absl::StatusOr<std::string> ModelAnswers::ListModels(
    const Tenant& tenant) const {
  std::string json = R"({"object":"list","data":[)";
  bool is_first = true;
  for (const ModelCatalog::Entry& entry : catalog_.List(tenant)) {
    if (!std::exchange(is_first, false)) json.push_back(',');
    AppendModel(entry, started_, MaxPositions(), &json);
  }
  return json + "]}";
}

absl::StatusOr<std::string> ModelAnswers::GetModel(absl::string_view name,
                                                   const Tenant& tenant) const {
  ASSIGN_OR_RETURN(const ModelCatalog::Entry entry,
                   catalog_.Find(name, tenant));
  std::string json;
  AppendModel(entry, started_, MaxPositions(), &json);
  return json;
}

absl::StatusOr<std::string> ModelAnswers::Tokenize(absl::string_view body,
                                                   const Tenant& tenant) const {
  ASSIGN_OR_RETURN(TokenizeRequest input, ParseTokenizeRequest(body));
  std::optional<bool> thinking = input.thinking;
  if (!input.model.empty()) {
    ASSIGN_OR_RETURN(const ModelCatalog::Entry entry,
                     catalog_.Find(input.model, tenant));
    if (!thinking.has_value()) thinking = entry.thinking;
  }
  std::vector<TokenId> ids;
  if (!input.text.has_value()) {
    ASSIGN_OR_RETURN(EncodedPrompt prompt,
                     EncodeMessages(input.messages, thinking, context_.model,
                                    input.add_generation_prompt));
    ids = std::move(prompt.ids);
  } else if (input.add_special_tokens) {
    ASSIGN_OR_RETURN(ids, EncodeTextPrompt(*input.text, context_.model));
  } else {
    RETURN_IF_ERROR(CheckInputBytes("prompt", input.text->size()));
    ASSIGN_OR_RETURN(ids, context_.model.tokenizer->EncodeText(*input.text));
  }
  std::string json =
      absl::StrCat(R"({"count":)", ids.size(), R"(,"max_model_len":)",
                   MaxPositions(), R"(,"tokens":[)");
  AppendIds(ids, &json);
  return json + "]}";
}

absl::StatusOr<std::string> ModelAnswers::Detokenize(
    absl::string_view body, const Tenant& tenant) const {
  ASSIGN_OR_RETURN(const DetokenizeRequest input, ParseDetokenizeRequest(body));
  if (!input.model.empty()) {
    RETURN_IF_ERROR(catalog_.Find(input.model, tenant).status());
  }
  RETURN_IF_ERROR(
      CheckTokenIds("tokens", input.tokens, context_.model.card.vocab_size));
  std::string json = R"({"prompt":)";
  AppendJsonString(
      context_.model.tokenizer->Decode(input.tokens, /*skip_special=*/false),
      &json);
  return json + "}";
}

}  // namespace mesh::gateway
