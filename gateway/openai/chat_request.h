// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "gateway/generation_request.h"
#include "gateway/openai/sampling_fields.h"

namespace mesh::gateway {

// Where the thinking of an answer goes.
enum class ReasoningFormat {
  kSeparate,  // into reasoning_content
  kInline,    // into content, between its tags
  kHidden,    // nowhere; its tokens are counted
};

// The body of POST /v1/chat/completions.
struct ChatRequest {
  GenerateInput input;  // the prompt is Messages; the model as the client said
  int n = 1;
  StreamChoices stream;
  ReasoningFormat reasoning_format = ReasoningFormat::kSeparate;
};

// Pure. Errors: kInvalidArgument with the field's path and a code:
// invalid_json and those of ParseStrictJson, missing_field, invalid_type,
// invalid_value, unsupported_parameter, unsupported_content,
// token_out_of_range. What depends on the model is checked later, by
// CheckGenerateInput.
absl::StatusOr<ChatRequest> ParseChatRequest(absl::string_view body);

// "messages" of `fields`. Errors: as above.
absl::StatusOr<Messages> ReadMessages(const RequestFields& fields);

// Whether to think, in any of three dialects; the first that is there counts:
// thinking.type (DeepSeek), chat_template_kwargs.thinking or .enable_thinking
// (vLLM, SGLang), enable_thinking (Qwen), reasoning_effort (OpenAI), of which
// "none" and "minimal" mean no.
absl::Status ReadThinking(const RequestFields& fields,
                          std::optional<bool>* thinking);

}  // namespace mesh::gateway
