// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "absl/time/time.h"

namespace mesh::cli {

// How fast an answer came. Owned by one thread.
class AnswerPace {
 public:
  explicit AnswerPace(absl::Time asked) : asked_(asked) {}

  void Add(int num_tokens, absl::Time now);

  int NumTokens() const { return num_tokens_; }
  // "42 tokens, 31 tokens/s, first after 0.2 s"; without the rate if all came
  // at once; empty without a token.
  std::string Text() const;

 private:
  const absl::Time asked_;
  absl::Time first_;
  absl::Time last_;
  int num_first_ = 0;  // tokens that came with the first
  int num_tokens_ = 0;
};

// "1 token", "42 tokens".
std::string TokensText(int num_tokens);

}  // namespace mesh::cli
