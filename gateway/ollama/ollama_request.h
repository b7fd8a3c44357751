// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "gateway/generation_request.h"

namespace mesh::gateway {

enum class OllamaRoute { kChat, kGenerate };

// The body of POST /api/chat or /api/generate.
struct OllamaRequest {
  OllamaRoute route = OllamaRoute::kChat;
  GenerateInput input;  // the model as the client said
  bool stream = true;
  bool only_loads = false;      // nothing was asked
  bool unloads = false;         // of those: the model is not needed any more
  bool hides_thinking = false;  // its tokens are counted
};

// Pure. Unknown fields and options have no effect. Errors: kInvalidArgument
// with the field's path and a code: those of RequestFields,
// unsupported_parameter and unsupported_content. What depends on the model is
// checked later, by CheckGenerateInput.
absl::StatusOr<OllamaRequest> ParseOllamaChat(absl::string_view body);
absl::StatusOr<OllamaRequest> ParseOllamaGenerate(absl::string_view body);

// The model that POST /api/show asks for. Errors: as above.
absl::StatusOr<std::string> ParseOllamaShow(absl::string_view body);

}  // namespace mesh::gateway
