// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/ids.h"
#include "gateway/generation_request.h"

namespace mesh::gateway {

// The body of POST /tokenize: a text or a conversation.
struct TokenizeRequest {
  std::string model;  // empty: the only one
  std::optional<std::string> text;
  Messages messages;
  std::optional<bool> thinking;
  bool add_special_tokens = true;     // of a text: the model's first token
  bool add_generation_prompt = true;  // of a conversation
};

// The body of POST /detokenize.
struct DetokenizeRequest {
  std::string model;  // empty: the only one
  std::vector<TokenId> tokens;
};

// Pure. Errors: as those of ParseChatRequest.
absl::StatusOr<TokenizeRequest> ParseTokenizeRequest(absl::string_view body);
absl::StatusOr<DetokenizeRequest> ParseDetokenizeRequest(
    absl::string_view body);

}  // namespace mesh::gateway
