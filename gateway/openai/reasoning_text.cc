// SPDX-License-Identifier: Apache-2.0
#include "gateway/openai/reasoning_text.h"

#include "absl/strings/str_cat.h"

namespace mesh::gateway {

VisibleText ReasoningText::Push(absl::string_view reasoning,
                                absl::string_view answer) {
  VisibleText text;
  if (format_ == ReasoningFormat::kSeparate) {
    text.reasoning = std::string(reasoning);
  }
  if (format_ != ReasoningFormat::kInline) {
    text.content = std::string(answer);
    return text;
  }
  if (!reasoning.empty()) {
    absl::StrAppend(&text.content, place_ == Place::kBefore ? "<think>\n" : "",
                    reasoning);
    place_ = Place::kInside;
  }
  if (!answer.empty()) {
    absl::StrAppend(&text.content,
                    place_ == Place::kInside ? "\n</think>\n\n" : "", answer);
    place_ = Place::kBehind;
  }
  return text;
}

}  // namespace mesh::gateway
