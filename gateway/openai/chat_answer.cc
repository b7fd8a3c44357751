// SPDX-License-Identifier: Apache-2.0
#include "gateway/openai/chat_answer.h"

#include <algorithm>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/openai/json_text.h"
#include "gateway/openai/token_logprobs.h"

namespace mesh::gateway {
namespace {

constexpr absl::string_view kRunning = R"(,"finish_reason":null)";

// The field "logprobs" with the items of its two lists; null without any.
void AppendLogprobs(absl::string_view content, absl::string_view reasoning,
                    std::string* out) {
  if (content.empty() && reasoning.empty()) {
    absl::StrAppend(out, R"(,"logprobs":null)");
    return;
  }
  absl::StrAppend(out, R"(,"logprobs":{"content":[)", content,
                  R"(],"reasoning_content":[)", reasoning, "]}");
}

}  // namespace

ChatAnswer::ChatAnswer(Options options, ReasoningFormat format)
    : AnswerFormat(std::move(options)),
      format_(format),
      choices_(static_cast<size_t>(GetOptions().num_choices), Choice(format)) {}

void ChatAnswer::SplitLogprobs(const AnswerDelta& delta, std::string* reasoning,
                               std::string* content) const {
  if (!GetOptions().logprobs) return;
  const std::span<const EmittedToken> tokens = delta.tokens;
  const size_t num_thought = std::min(delta.num_thought_tokens, tokens.size());
  const Tokenizer& tokenizer = *GetOptions().tokenizer;
  if (format_ != ReasoningFormat::kHidden) {
    AppendChatLogprobs(tokens.first(num_thought), tokenizer, reasoning);
  }
  AppendChatLogprobs(tokens.subspan(num_thought), tokenizer, content);
}

void ChatAnswer::AppendStart(int choice, std::string* out) {
  AppendEvent(
      choice,
      absl::StrCat(IsSeparate()
                       ? R"(,"delta":{"role":"assistant","content":null,)"
                         R"("reasoning_content":""})"
                       : R"(,"delta":{"role":"assistant","content":""})",
                   R"(,"logprobs":null)", kRunning),
      out);
}

void ChatAnswer::AppendDelta(int choice, const AnswerDelta& delta,
                             std::string* out) {
  const VisibleText text = choices_[static_cast<size_t>(choice)].text.Push(
      delta.reasoning, delta.text);
  std::string reasoning_logprobs;
  std::string content_logprobs;
  SplitLogprobs(delta, &reasoning_logprobs, &content_logprobs);
  std::string fields;
  if (IsSeparate() && !(text.reasoning.empty() && reasoning_logprobs.empty())) {
    absl::StrAppend(&fields, R"(,"delta":{"content":null,)",
                    R"("reasoning_content":)");
    AppendJsonString(text.reasoning, &fields);
    fields.push_back('}');
    AppendLogprobs("", std::exchange(reasoning_logprobs, ""), &fields);
    absl::StrAppend(&fields, kRunning);
    AppendEvent(choice, fields, out);
  }
  if (text.content.empty() && content_logprobs.empty() &&
      reasoning_logprobs.empty()) {
    return;
  }
  fields = R"(,"delta":{"content":)";
  AppendJsonString(text.content, &fields);
  fields.push_back('}');
  AppendLogprobs(content_logprobs, reasoning_logprobs, &fields);
  absl::StrAppend(&fields, kRunning);
  AppendEvent(choice, fields, out);
}

void ChatAnswer::AppendFinish(int choice, std::string* out) {
  AppendEvent(choice,
              absl::StrCat(R"(,"delta":{},"logprobs":null,"finish_reason":")",
                           FinishReasonOf(choice), "\""),
              out);
}

void ChatAnswer::Keep(int choice, const AnswerDelta& delta) {
  Choice& kept = choices_[static_cast<size_t>(choice)];
  const VisibleText text = kept.text.Push(delta.reasoning, delta.text);
  kept.content += text.content;
  kept.reasoning += text.reasoning;
  std::string reasoning_logprobs;
  std::string content_logprobs;
  SplitLogprobs(delta, &reasoning_logprobs, &content_logprobs);
  const auto add = [](const std::string& items, std::string* list) {
    if (items.empty()) return;
    absl::StrAppend(list, list->empty() ? "" : ",", items);
  };
  add(reasoning_logprobs, &kept.reasoning_logprobs);
  add(content_logprobs, &kept.content_logprobs);
}

void ChatAnswer::AppendChoice(int choice, std::string* out) const {
  const Choice& kept = choices_[static_cast<size_t>(choice)];
  absl::StrAppend(out, R"(,"message":{"role":"assistant","content":)");
  AppendJsonString(kept.content, out);
  if (IsSeparate()) {
    absl::StrAppend(out, R"(,"reasoning_content":)");
    if (kept.reasoning.empty()) {
      absl::StrAppend(out, "null");
    } else {
      AppendJsonString(kept.reasoning, out);
    }
  }
  out->push_back('}');
  AppendLogprobs(kept.content_logprobs, kept.reasoning_logprobs, out);
  absl::StrAppend(out, R"(,"finish_reason":")", FinishReasonOf(choice), "\"");
}

}  // namespace mesh::gateway
