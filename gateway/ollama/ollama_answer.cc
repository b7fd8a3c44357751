// SPDX-License-Identifier: Apache-2.0
#include "gateway/ollama/ollama_answer.h"

#include <algorithm>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/ollama/ollama_time.h"
#include "gateway/openai/error_response.h"
#include "gateway/openai/json_text.h"
#include "gateway/openai/token_logprobs.h"

namespace mesh::gateway {
namespace {

std::string ErrorBodyOf(const absl::Status& status) {
  constexpr int kOurMistake = 500;
  std::string body = R"({"error":)";
  AppendJsonString(HttpStatusOf(status) == kOurMistake
                       ? "the server made a mistake; try again, and tell its "
                         "operator if it stays"
                       : status.message(),
                   &body);
  return body + "}";
}

absl::string_view DoneReasonOf(FinishReason reason) {
  return reason == FinishReason::kLength ? "length" : "stop";
}

}  // namespace

OllamaAnswer::OllamaAnswer(Options options) : options_(std::move(options)) {}

void OllamaAnswer::AppendDelta(const AnswerDelta& delta, absl::Time now,
                               std::string* out) {
  NoteTokens(delta, now);
  const absl::string_view thinking =
      options_.hides_thinking ? absl::string_view() : delta.reasoning;
  const std::string logprobs = LogprobsOf(delta);
  if (delta.text.empty() && thinking.empty() && logprobs.empty()) return;
  AppendLine(now, delta.text, thinking, logprobs, out);
  absl::StrAppend(out, R"(,"done":false})", "\n");
}

void OllamaAnswer::AppendEnd(const AnswerEnd& end, absl::Time now,
                             std::string* out) const {
  AppendLine(now, "", "", "", out);
  AppendDone(DoneReasonOf(end.reason), out);
  AppendCounts(end.usage, now, out);
  absl::StrAppend(out, "}\n");
}

void OllamaAnswer::AppendError(const absl::Status& status, std::string* out) {
  absl::StrAppend(out, ErrorBodyOf(status), "\n");
}

void OllamaAnswer::Keep(const AnswerDelta& delta, absl::Time now) {
  NoteTokens(delta, now);
  text_ += delta.text;
  if (!options_.hides_thinking) thinking_ += delta.reasoning;
  const std::string logprobs = LogprobsOf(delta);
  if (logprobs.empty()) return;
  absl::StrAppend(&logprobs_, logprobs_.empty() ? "" : ",", logprobs);
}

std::string OllamaAnswer::Body(const AnswerEnd& end, absl::Time now) const {
  std::string body;
  AppendLine(now, text_, thinking_, logprobs_, &body);
  AppendDone(DoneReasonOf(end.reason), &body);
  AppendCounts(end.usage, now, &body);
  return body + "}";
}

std::string OllamaAnswer::LoadBody(absl::string_view done_reason,
                                   absl::Time now) const {
  std::string body;
  AppendLine(now, "", "", "", &body);
  AppendDone(done_reason, &body);
  return body + "}";
}

void OllamaAnswer::NoteTokens(const AnswerDelta& delta, absl::Time now) {
  if (delta.tokens.empty()) return;
  if (!first_token_.has_value()) first_token_ = now;
  last_token_ = now;
}

std::string OllamaAnswer::LogprobsOf(const AnswerDelta& delta) const {
  std::string list;
  if (!options_.logprobs) return list;
  std::span<const EmittedToken> tokens = delta.tokens;
  if (options_.hides_thinking) {
    tokens = tokens.subspan(std::min(delta.num_thought_tokens, tokens.size()));
  }
  AppendChatLogprobs(tokens, *options_.tokenizer, &list);
  return list;
}

// Without its end.
void OllamaAnswer::AppendLine(absl::Time now, absl::string_view text,
                              absl::string_view thinking,
                              absl::string_view logprobs,
                              std::string* out) const {
  const bool is_chat = options_.route == OllamaRoute::kChat;
  absl::StrAppend(out, R"({"model":)");
  AppendJsonString(options_.model, out);
  absl::StrAppend(out, R"(,"created_at":")", OllamaTime(now), "\"",
                  is_chat ? R"(,"message":{"role":"assistant","content":)"
                          : R"(,"response":)");
  AppendJsonString(text, out);
  if (!thinking.empty()) {
    absl::StrAppend(out, R"(,"thinking":)");
    AppendJsonString(thinking, out);
  }
  if (is_chat) out->push_back('}');
  if (!logprobs.empty()) {
    absl::StrAppend(out, R"(,"logprobs":[)", logprobs, "]");
  }
}

void OllamaAnswer::AppendDone(absl::string_view reason,
                              std::string* out) const {
  absl::StrAppend(out, R"(,"done":true,"done_reason":")", reason, "\"");
}

// Durations in nanoseconds. The model is always loaded.
void OllamaAnswer::AppendCounts(const AnswerUsage& usage, absl::Time now,
                                std::string* out) const {
  const absl::Time started = started_.value_or(now);
  const absl::Time first = first_token_.value_or(now);
  const absl::Duration eval =
      first_token_.has_value() ? last_token_ - first : absl::ZeroDuration();
  absl::StrAppend(out, R"(,"total_duration":)",
                  absl::ToInt64Nanoseconds(now - options_.asked),
                  R"(,"load_duration":0,"prompt_eval_count":)",
                  usage.num_prompt_tokens, R"(,"prompt_eval_duration":)",
                  absl::ToInt64Nanoseconds(first - started),
                  R"(,"eval_count":)", usage.num_completion_tokens,
                  R"(,"eval_duration":)", absl::ToInt64Nanoseconds(eval));
}

HttpResponse OllamaErrorResponse(const absl::Status& status) {
  HttpResponse response = ErrorResponse(status);
  response.body = ErrorBodyOf(status);
  return response;
}

}  // namespace mesh::gateway
