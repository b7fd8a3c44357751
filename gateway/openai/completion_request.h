// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "gateway/generation_request.h"
#include "gateway/openai/sampling_fields.h"

namespace mesh::gateway {

// The body of POST /v1/completions.
struct CompletionRequest {
  GenerateInput input;               // without a prompt
  std::vector<PromptInput> prompts;  // texts or token ids; at least one
  int n = 1;                         // choices of each prompt
  bool echo = false;                 // the prompt's text first
  StreamChoices stream;
};

// Pure. Errors: as those of ParseChatRequest.
absl::StatusOr<CompletionRequest> ParseCompletionRequest(
    absl::string_view body);

}  // namespace mesh::gateway
