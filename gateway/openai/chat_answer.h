// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "gateway/openai/answer_format.h"
#include "gateway/openai/chat_request.h"
#include "gateway/openai/reasoning_text.h"

namespace mesh::gateway {

// chat.completion and chat.completion.chunk.
class ChatAnswer final : public AnswerFormat {
 public:
  ChatAnswer(Options options, ReasoningFormat format);

  void AppendStart(int choice, std::string* out) override;
  // The thinking first, then the answer: an event each.
  void AppendDelta(int choice, const AnswerDelta& delta,
                   std::string* out) override;
  void AppendFinish(int choice, std::string* out) override;
  void Keep(int choice, const AnswerDelta& delta) override;

 private:
  struct Choice {
    explicit Choice(ReasoningFormat format) : text(format) {}

    ReasoningText text;
    // Kept.
    std::string content;
    std::string reasoning;
    std::string content_logprobs;  // items of the list
    std::string reasoning_logprobs;
  };

  absl::string_view EventObject() const override {
    return "chat.completion.chunk";
  }
  absl::string_view BodyObject() const override { return "chat.completion"; }
  void AppendChoice(int choice, std::string* out) const override;

  // Appends the items of the thinking's and the answer's tokens.
  void SplitLogprobs(const AnswerDelta& delta, std::string* reasoning,
                     std::string* content) const;
  bool IsSeparate() const { return format_ == ReasoningFormat::kSeparate; }

  const ReasoningFormat format_;
  std::vector<Choice> choices_;
};

}  // namespace mesh::gateway
