// SPDX-License-Identifier: Apache-2.0
#include "gateway/openai/completion_answer.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/openai/json_text.h"

namespace mesh::gateway {

CompletionAnswer::Choice::Choice(Echo its_echo, const Tokenizer& tokenizer)
    : echo(std::move(its_echo)),
      reasoning(ReasoningFormat::kInline),
      logprobs(tokenizer, 0),
      text(echo.text) {
  if (echo.first_token) logprobs.AddFirst(*echo.first_token);
}

CompletionAnswer::CompletionAnswer(Options options, std::vector<Echo> echoes)
    : AnswerFormat(std::move(options)) {
  for (Echo& echo : echoes) {
    choices_.emplace_back(std::move(echo), *GetOptions().tokenizer);
  }
}

std::string CompletionAnswer::Add(Choice& choice,
                                  const AnswerDelta& delta) const {
  if (GetOptions().logprobs) {
    for (const PromptLogprob& token : delta.prompt_tokens) {
      choice.logprobs.Add(token.id, token.logprob, token.top);
    }
    for (const EmittedToken& token : delta.tokens) {
      choice.logprobs.Add(token.id, token.logprob, token.top);
    }
  }
  return choice.reasoning.Push(delta.reasoning, delta.text).content;
}

void CompletionAnswer::AppendTextEvent(int choice, absl::string_view text,
                                       std::string* out) {
  CompletionLogprobs& logprobs = choices_[static_cast<size_t>(choice)].logprobs;
  std::string fields = R"(,"text":)";
  AppendJsonString(text, &fields);
  absl::StrAppend(&fields, R"(,"logprobs":)");
  if (logprobs.Empty()) {
    absl::StrAppend(&fields, "null");
  } else {
    logprobs.Take(&fields);
  }
  absl::StrAppend(&fields, R"(,"finish_reason":null)");
  AppendEvent(choice, fields, out);
}

void CompletionAnswer::AppendStart(int choice, std::string* out) {
  const std::string& echo = choices_[static_cast<size_t>(choice)].echo.text;
  if (!echo.empty()) AppendTextEvent(choice, echo, out);
}

void CompletionAnswer::AppendDelta(int choice, const AnswerDelta& delta,
                                   std::string* out) {
  Choice& its = choices_[static_cast<size_t>(choice)];
  const std::string text = Add(its, delta);
  if (text.empty() && its.logprobs.Empty()) return;
  AppendTextEvent(choice, text, out);
}

void CompletionAnswer::AppendFinish(int choice, std::string* out) {
  AppendEvent(choice,
              absl::StrCat(R"(,"text":"","logprobs":null,"finish_reason":")",
                           FinishReasonOf(choice), "\""),
              out);
}

void CompletionAnswer::Keep(int choice, const AnswerDelta& delta) {
  Choice& its = choices_[static_cast<size_t>(choice)];
  its.text += Add(its, delta);
}

void CompletionAnswer::AppendChoice(int choice, std::string* out) const {
  const Choice& kept = choices_[static_cast<size_t>(choice)];
  absl::StrAppend(out, R"(,"text":)");
  AppendJsonString(kept.text, out);
  absl::StrAppend(out, R"(,"logprobs":)");
  if (GetOptions().logprobs) {
    kept.logprobs.Append(out);
  } else {
    absl::StrAppend(out, "null");
  }
  absl::StrAppend(out, R"(,"finish_reason":")", FinishReasonOf(choice), "\"");
}

}  // namespace mesh::gateway
