// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "gateway/openai/answer_format.h"
#include "gateway/openai/reasoning_text.h"
#include "gateway/openai/token_logprobs.h"

namespace mesh::gateway {

// What goes in front of a choice's text.
struct Echo {
  std::string text;
  // Of the prompt, if the model's own first token is not in front of it.
  std::optional<TokenId> first_token;
};

// text_completion, whole and as events. Thinking stands in the text, as with
// ReasoningFormat::kInline.
class CompletionAnswer final : public AnswerFormat {
 public:
  // `echoes` are those of the choices.
  CompletionAnswer(Options options, std::vector<Echo> echoes);

  void AppendStart(int choice, std::string* out) override;
  void AppendDelta(int choice, const AnswerDelta& delta,
                   std::string* out) override;
  void AppendFinish(int choice, std::string* out) override;
  void Keep(int choice, const AnswerDelta& delta) override;

 private:
  struct Choice {
    Choice(Echo its_echo, const Tokenizer& tokenizer);

    Echo echo;
    ReasoningText reasoning;
    CompletionLogprobs logprobs;
    std::string text;  // kept
  };

  absl::string_view EventObject() const override { return "text_completion"; }
  absl::string_view BodyObject() const override { return "text_completion"; }
  void AppendChoice(int choice, std::string* out) const override;

  // The visible text of `delta`; its logprobs go to the choice's.
  std::string Add(Choice& choice, const AnswerDelta& delta) const;
  void AppendTextEvent(int choice, absl::string_view text, std::string* out);

  std::vector<Choice> choices_;
};

}  // namespace mesh::gateway
