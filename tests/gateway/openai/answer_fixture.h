// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/check.h"
#include "gateway/openai/answer_format.h"
#include "gateway/served_model.h"

namespace mesh::gateway {

inline const ServedModel& TinyR1() {
  static const auto* model = new absl::StatusOr<ServedModel>(
      LoadServedModel(std::string(MESH_SOURCE_DIR) + "/models/tiny-r1", ""));
  MESH_CHECK(model->ok());
  return **model;
}

inline AnswerFormat::Options AnswerOptions() {
  return {.head = {.id = "chatcmpl-1", .model = "m\n\"", .created = 1700000000},
          .tokenizer = TinyR1().tokenizer.get()};
}

inline AnswerDelta TextDeltaOf(std::string reasoning, std::string text) {
  AnswerDelta delta;
  delta.reasoning = std::move(reasoning);
  delta.text = std::move(text);
  return delta;
}

// Tokens 0 and 1 are special, 236 is the first byte of many characters.
inline AnswerDelta TokensOf(const std::vector<TokenId>& ids,
                            size_t num_thought) {
  AnswerDelta delta;
  for (const TokenId id : ids) {
    delta.tokens.push_back({.index = static_cast<int>(delta.tokens.size()),
                            .id = id,
                            .logprob = -0.125F,
                            .top = {{id, -0.125F}, {300, -1.5F}}});
  }
  delta.num_thought_tokens = num_thought;
  return delta;
}

}  // namespace mesh::gateway
