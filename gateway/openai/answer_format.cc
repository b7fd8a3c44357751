// SPDX-License-Identifier: Apache-2.0
#include "gateway/openai/answer_format.h"

#include <algorithm>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/openai/json_text.h"

namespace mesh::gateway {
namespace {

constexpr absl::string_view kData = "data: ";
constexpr absl::string_view kEventEnd = "\n\n";
constexpr absl::string_view kStreamEnd = "data: [DONE]\n\n";

}  // namespace

AnswerFormat::AnswerFormat(Options options)
    : options_(std::move(options)),
      usages_(static_cast<size_t>(options_.num_choices)),
      reasons_(static_cast<size_t>(options_.num_choices)) {}

void AnswerFormat::SetFingerprint(const ModelIdentity& identity) {
  constexpr size_t kDigits = 12;
  if (!fingerprint_.empty()) return;
  fingerprint_ =
      absl::StrCat("fp_", identity.model.ToHex().substr(0, kDigits), "_",
                   identity.numerics, "_", identity.routing_table);
}

void AnswerFormat::SetPromptTokens(int choice, int num_prompt_tokens) {
  usages_[static_cast<size_t>(choice)].num_prompt_tokens = num_prompt_tokens;
}

void AnswerFormat::CountTokens(int choice, const AnswerDelta& delta) {
  Usage& usage = usages_[static_cast<size_t>(choice)];
  usage.num_completion_tokens += static_cast<int>(delta.tokens.size());
  usage.num_reasoning_tokens += static_cast<int>(delta.num_thought_tokens);
  usage.num_cached_tokens =
      std::max(usage.num_cached_tokens, delta.num_cached_tokens);
}

void AnswerFormat::NoteEnd(int choice, FinishReason reason,
                           const Usage& usage) {
  reasons_[static_cast<size_t>(choice)] = reason;
  usages_[static_cast<size_t>(choice)] = usage;
}

absl::string_view AnswerFormat::FinishReasonOf(int choice) const {
  return reasons_[static_cast<size_t>(choice)] == FinishReason::kLength
             ? "length"
             : "stop";
}

Usage AnswerFormat::TotalUsage() const {
  Usage total;
  const auto per_prompt = static_cast<size_t>(options_.choices_per_prompt);
  for (size_t i = 0; i < usages_.size(); ++i) {
    if (i % per_prompt == 0) {
      total.num_prompt_tokens += usages_[i].num_prompt_tokens;
      // The other choices found what this answer itself had computed.
      total.num_cached_tokens +=
          std::ranges::min(std::span(usages_).subspan(i, per_prompt), {},
                           &Usage::num_cached_tokens)
              .num_cached_tokens;
    }
    total.num_completion_tokens += usages_[i].num_completion_tokens;
    total.num_reasoning_tokens += usages_[i].num_reasoning_tokens;
  }
  return total;
}

void AnswerFormat::AppendHead(absl::string_view object,
                              std::string* out) const {
  absl::StrAppend(out, R"({"id":)");
  AppendJsonString(options_.head.id, out);
  absl::StrAppend(out, R"(,"object":")", object, R"(","created":)",
                  options_.head.created, R"(,"model":)");
  AppendJsonString(options_.head.model, out);
  absl::StrAppend(out, R"(,"system_fingerprint":)");
  AppendJsonString(fingerprint_, out);
}

void AnswerFormat::AppendEvent(int choice, absl::string_view fields,
                               std::string* out) const {
  absl::StrAppend(out, kData);
  AppendHead(EventObject(), out);
  absl::StrAppend(out, R"(,"choices":[{"index":)", choice, fields, "}]");
  if (options_.stream.continuous_usage) {
    absl::StrAppend(out, R"(,"usage":)");
    AppendUsage(usages_[static_cast<size_t>(choice)], options_.prices, out);
  } else if (options_.stream.include_usage) {
    absl::StrAppend(out, R"(,"usage":null)");
  }
  absl::StrAppend(out, "}", kEventEnd);
}

void AnswerFormat::AppendEnd(std::string* out) const {
  if (options_.stream.include_usage) {
    absl::StrAppend(out, kData);
    AppendHead(EventObject(), out);
    absl::StrAppend(out, R"(,"choices":[],"usage":)");
    AppendUsage(TotalUsage(), options_.prices, out);
    absl::StrAppend(out, "}", kEventEnd);
  }
  absl::StrAppend(out, kStreamEnd);
}

void AnswerFormat::AppendError(absl::string_view error_body, std::string* out) {
  absl::StrAppend(out, kData, error_body, kEventEnd, kStreamEnd);
}

std::string AnswerFormat::Body() const {
  std::string body;
  AppendHead(BodyObject(), &body);
  absl::StrAppend(&body, R"(,"choices":[)");
  for (int choice = 0; choice < options_.num_choices; ++choice) {
    absl::StrAppend(&body, choice == 0 ? "" : ",", R"({"index":)", choice);
    AppendChoice(choice, &body);
    body.push_back('}');
  }
  absl::StrAppend(&body, R"(],"usage":)");
  AppendUsage(TotalUsage(), options_.prices, &body);
  body.push_back('}');
  return body;
}

}  // namespace mesh::gateway
