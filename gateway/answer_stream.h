// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "gateway/attention_messages.h"
#include "gateway/generation_request.h"
#include "gateway/text_stream.h"
#include "gateway/tokenizer.h"

namespace mesh::gateway {

// What a client sees next of an answer.
struct AnswerDelta {
  std::string text;
  std::string reasoning;
  std::vector<EmittedToken> tokens;
  size_t num_thought_tokens = 0;  // the first of `tokens` are of the thinking
  std::vector<PromptLogprob> prompt_tokens;
  int num_cached_tokens = 0;  // of the prompt; in every one with tokens

  bool Empty() const {
    return text.empty() && reasoning.empty() && tokens.empty() &&
           prompt_tokens.empty();
  }
  // About what it takes in memory and on the wire.
  size_t NumBytes() const;
  void Append(AnswerDelta delta);
};

// A stream's results to what its client sees: tokens with their logprobs and,
// unless the prompt was token ids, text. Owned by one thread.
class AnswerStream {
 public:
  // `tokenizer` outlives the stream. Errors: those of TextStream::Create.
  static absl::StatusOr<AnswerStream> Create(const Tokenizer& tokenizer,
                                             const GenerationRequest& request);

  // Once Stopped(), nothing more comes.
  AnswerDelta Push(StreamResult result);
  // After the last result, whatever ended the stream.
  AnswerDelta Finish();

  // A stop string is complete: generation should end.
  bool Stopped() const { return stopped_; }
  int NumTokens() const { return num_tokens_; }
  // Of the prompt's tokens, those that had been computed before: as the node
  // said that sent the first result.
  int NumCachedTokens() const { return num_cached_tokens_.value_or(0); }
  // Of the emitted ones, those before the answer's text.
  int NumReasoningTokens() const { return num_reasoning_tokens_; }

 private:
  AnswerStream(std::optional<TextStream> text, std::optional<TokenId> end_think,
               bool starts_in_reasoning);

  void Add(const TextDelta& text, AnswerDelta* delta);

  std::optional<TextStream> text_;
  const std::optional<TokenId> end_think_id_;
  bool in_reasoning_;
  bool in_answer_ = false;
  bool stopped_ = false;
  int num_tokens_ = 0;
  int num_reasoning_tokens_ = 0;
  std::optional<int> num_cached_tokens_;
};

}  // namespace mesh::gateway
