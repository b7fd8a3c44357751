// SPDX-License-Identifier: Apache-2.0
#include "gateway/openai/tokenize_request.h"

#include "core/status_macros.h"
#include "gateway/openai/chat_request.h"
#include "gateway/openai/request_fields.h"

namespace mesh::gateway {

absl::StatusOr<TokenizeRequest> ParseTokenizeRequest(absl::string_view body) {
  ASSIGN_OR_RETURN(const Json json, RequestFields::ParseBody(body));
  ASSIGN_OR_RETURN(const RequestFields fields, RequestFields::From(json, ""));
  TokenizeRequest request;
  RETURN_IF_ERROR(fields.Read(kModelField, &request.model));
  RETURN_IF_ERROR(
      fields.ReadBool("add_special_tokens", &request.add_special_tokens));
  RETURN_IF_ERROR(
      fields.ReadBool("add_generation_prompt", &request.add_generation_prompt));
  RETURN_IF_ERROR(ReadThinking(fields, &request.thinking));
  if (fields.Find("messages") != nullptr) {
    ASSIGN_OR_RETURN(request.messages, ReadMessages(fields));
    return request;
  }
  RETURN_IF_ERROR(fields.Require("prompt").status());
  RETURN_IF_ERROR(fields.ReadText("prompt", &request.text.emplace()));
  return request;
}

absl::StatusOr<DetokenizeRequest> ParseDetokenizeRequest(
    absl::string_view body) {
  ASSIGN_OR_RETURN(const Json json, RequestFields::ParseBody(body));
  ASSIGN_OR_RETURN(const RequestFields fields, RequestFields::From(json, ""));
  DetokenizeRequest request;
  RETURN_IF_ERROR(fields.Read(kModelField, &request.model));
  ASSIGN_OR_RETURN(const Json* tokens, fields.Require("tokens"));
  ASSIGN_OR_RETURN(request.tokens, TokenIdsOf(*tokens, "tokens", kMaxTokenIds));
  return request;
}

}  // namespace mesh::gateway
