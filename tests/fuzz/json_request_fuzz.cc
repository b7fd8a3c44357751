// SPDX-License-Identifier: Apache-2.0
// Any bytes as the body of a request. The strict reader agrees with the
// library's parser wherever both must; what is accepted is in range.
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/strip.h"
#include "core/check.h"
#include "core/json.h"
#include "gateway/api_error.h"
#include "gateway/openai/chat_request.h"
#include "gateway/openai/completion_request.h"
#include "gateway/openai/tokenize_request.h"
#include "gateway/strict_json.h"
#include "gateway/utf8.h"

namespace mesh::gateway {
namespace {

void CheckError(const absl::Status& status) {
  static const auto* const known = new std::set<std::string>{
      "invalid_json",        "too_deep",           "too_many_keys",
      "duplicate_key",       "invalid_utf8",       "string_too_long",
      "number_out_of_range", "missing_field",      "invalid_type",
      "invalid_value",       "token_out_of_range", "unsupported_parameter",
      "unsupported_content"};
  MESH_CHECK(absl::IsInvalidArgument(status));
  const ApiErrorDetails details = DetailsOf(status);
  MESH_CHECK(known->count(details.code) == 1);
  MESH_CHECK(status.message().size() < 1000);
  MESH_CHECK(FindInvalidUtf8(status.message()) == absl::string_view::npos);
}

void CheckJson(absl::string_view text) {
  const auto strict = ParseStrictJson(text);
  absl::string_view unmarked = text;
  absl::ConsumePrefix(&unmarked, "\xEF\xBB\xBF");
  const auto library = ParseJson(unmarked, "fuzz", {.max_depth = 1000});
  if (strict.ok()) {
    MESH_CHECK(library.ok());
    MESH_CHECK(*strict == *library);
    const auto again = ParseStrictJson(strict->dump());
    MESH_CHECK(again.ok());
    MESH_CHECK(*again == *strict);
    return;
  }
  CheckError(strict.status());
  const std::string code = DetailsOf(strict.status()).code;
  // To the library a zero byte is the end of the text.
  if (absl::StrContains(text, '\0')) return;
  if (code == "invalid_json" || code == "invalid_utf8" ||
      code == "duplicate_key") {
    MESH_CHECK(!library.ok());
  }
}

void CheckInput(const GenerateInput& input) {
  const SamplingInput& sampling = input.sampling;
  const auto is_in = [](const auto& value, double least, double most) {
    return !value.has_value() || (*value >= least && *value <= most);
  };
  MESH_CHECK(!input.model.empty() && input.model.size() <= 256);
  MESH_CHECK(is_in(sampling.temperature, 0, 2));
  MESH_CHECK(is_in(sampling.top_p, 1e-45, 1));
  MESH_CHECK(is_in(sampling.top_k, 0, 2147483647));
  MESH_CHECK(is_in(sampling.min_p, 0, 1));
  MESH_CHECK(is_in(sampling.presence_penalty, -2, 2));
  MESH_CHECK(is_in(sampling.frequency_penalty, -2, 2));
  MESH_CHECK(is_in(sampling.repetition_penalty, 1e-45, 10));
  MESH_CHECK(sampling.logit_bias.size() <= 300);
  for (const auto& [id, bias] : sampling.logit_bias) {
    MESH_CHECK(id >= 0 && bias >= -100 && bias <= 100);
  }
  MESH_CHECK(input.stops.size() <= kMaxStops);
  for (const std::string& stop : input.stops) {
    MESH_CHECK(!stop.empty() && stop.size() <= kMaxStopBytes);
    MESH_CHECK(FindInvalidUtf8(stop) == absl::string_view::npos);
  }
  for (const TokenId id : input.stop_token_ids) MESH_CHECK(id >= 0);
  MESH_CHECK(is_in(input.logprobs, 0, kMaxLogprobs));
  MESH_CHECK(input.priority <= kMaxPriority);
  MESH_CHECK(CheckRequestId(input.request_id).ok());
  MESH_CHECK(input.max_tokens <= 2147483647);
}

void CheckChat(absl::string_view body) {
  const auto request = ParseChatRequest(body);
  if (!request.ok()) return CheckError(request.status());
  CheckInput(request->input);
  MESH_CHECK(request->n >= 1 && request->n <= 8);
  const auto& messages = std::get<Messages>(request->input.prompt);
  MESH_CHECK(!messages.empty() && messages.size() <= 1024);
  for (const MessageInput& message : messages) {
    MESH_CHECK(message.role == "system" || message.role == "user" ||
               message.role == "assistant");
    MESH_CHECK(FindInvalidUtf8(message.content) == absl::string_view::npos);
  }
}

void CheckCompletion(absl::string_view body) {
  const auto request = ParseCompletionRequest(body);
  if (!request.ok()) return CheckError(request.status());
  CheckInput(request->input);
  MESH_CHECK(request->n >= 1 && !request->prompts.empty());
  MESH_CHECK(request->prompts.size() * static_cast<size_t>(request->n) <= 64);
  for (const PromptInput& prompt : request->prompts) {
    if (const auto* text = std::get_if<std::string>(&prompt)) {
      MESH_CHECK(!text->empty());
      continue;
    }
    for (const TokenId id : std::get<std::vector<TokenId>>(prompt)) {
      MESH_CHECK(id >= 0);
    }
  }
}

}  // namespace
}  // namespace mesh::gateway

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  mesh::gateway::CheckJson(text);
  mesh::gateway::CheckChat(text);
  mesh::gateway::CheckCompletion(text);
  const auto tokenize = mesh::gateway::ParseTokenizeRequest(text);
  if (!tokenize.ok()) mesh::gateway::CheckError(tokenize.status());
  const auto detokenize = mesh::gateway::ParseDetokenizeRequest(text);
  if (!detokenize.ok()) mesh::gateway::CheckError(detokenize.status());
  return 0;
}
