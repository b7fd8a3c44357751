// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "gateway/attention_messages.h"
#include "gateway/tokenizer.h"

namespace mesh::gateway {

// Appends the tokens as the items of a chat's list of logprobs, with a comma
// before each if `list` has some already. Control tokens are left out: no text
// comes of them.
void AppendChatLogprobs(std::span<const EmittedToken> tokens,
                        const Tokenizer& tokenizer, std::string* list);

// A completion's logprobs: four lists, one item per token in each.
class CompletionLogprobs {
 public:
  // `tokenizer` outlives this. `text_offset`: characters that come before.
  CompletionLogprobs(const Tokenizer& tokenizer, int64_t text_offset)
      : tokenizer_(&tokenizer), text_offset_(text_offset) {}

  // The first token of all, of which the model thought nothing.
  void AddFirst(TokenId id);
  void Add(TokenId id, float logprob, std::span<const TokenLogprob> top);

  // Appends the four lists as an object and begins new ones.
  void Take(std::string* out);
  // Appends the four lists as an object.
  void Append(std::string* out) const;
  bool Empty() const { return tokens_.empty(); }

 private:
  void AddToken(TokenId id);

  const Tokenizer* tokenizer_;
  int64_t text_offset_;
  std::string tokens_;  // items, with commas between them
  std::string logprobs_;
  std::string tops_;
  std::string offsets_;
};

}  // namespace mesh::gateway
