// SPDX-License-Identifier: Apache-2.0
#include "cli/answer_pace.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace mesh::cli {

void AnswerPace::Add(int num_tokens, absl::Time now) {
  if (num_tokens == 0) return;
  if (num_tokens_ == 0) {
    first_ = now;
    num_first_ = num_tokens;
  }
  last_ = now;
  num_tokens_ += num_tokens;
}

std::string AnswerPace::Text() const {
  if (num_tokens_ == 0) return "";
  std::string text = TokensText(num_tokens_);
  const double seconds = absl::ToDoubleSeconds(last_ - first_);
  if (num_tokens_ > num_first_ && seconds > 0) {
    const double rate = (num_tokens_ - num_first_) / seconds;
    absl::StrAppendFormat(&text, ", %.*f tokens/s", rate < 10 ? 1 : 0, rate);
  }
  absl::StrAppendFormat(&text, ", first after %.1f s",
                        absl::ToDoubleSeconds(first_ - asked_));
  return text;
}

std::string TokensText(int num_tokens) {
  return absl::StrCat(num_tokens, num_tokens == 1 ? " token" : " tokens");
}

}  // namespace mesh::cli
