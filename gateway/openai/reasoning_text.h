// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "gateway/answer_stream.h"
#include "gateway/openai/chat_request.h"

namespace mesh::gateway {

// What a client sees of a delta's text.
struct VisibleText {
  std::string reasoning;
  std::string content;
};

// Puts thinking and answer where the client wants them. With kInline the
// content reads "<think>\n", the thinking, "\n</think>\n\n", the answer, as
// DeepSeek's models write it; the end tag is missing if the thinking was cut
// off. Of one choice; owned by one thread.
class ReasoningText {
 public:
  explicit ReasoningText(ReasoningFormat format) : format_(format) {}

  VisibleText Push(absl::string_view reasoning, absl::string_view answer);

 private:
  enum class Place { kBefore, kInside, kBehind };

  const ReasoningFormat format_;
  Place place_ = Place::kBefore;
};

}  // namespace mesh::gateway
