// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "attention-node/transcript.h"
#include "gateway/chat_template.h"

namespace mesh::cli {

// How an answer is made. What is absent is as the model recommends.
struct AnswerOptions {
  std::optional<float> temperature;
  std::optional<float> top_p;
  std::optional<int> top_k;
  std::optional<float> min_p;
  std::optional<uint64_t> seed;  // drawn if absent
  int max_tokens = 0;            // 0: what the context holds
  std::vector<std::string> stops;
  bool no_thinking = false;  // for templates with two modes
};

struct Answer {
  std::string reasoning;
  std::string text;
  attention::FinishReason reason = attention::FinishReason::kStop;
  int num_prompt_tokens = 0;
  int num_tokens = 0;  // emitted
};

// What comes next of an answer.
struct AnswerPiece {
  std::string reasoning;
  std::string text;
  int num_tokens = 0;  // emitted since the piece before; perhaps without text
};

// Where `ask` and `chat` get their answers. Owned by one thread.
class AnswerSource {
 public:
  virtual ~AnswerSource() = default;

  // What answers, for people: a model and where it runs.
  virtual std::string Description() const = 0;

  // Hands over the text as it comes; stops early, with kCancelled, once
  // `interrupted` returns true. Errors: kInvalidArgument for messages or
  // options that the model cannot take; others as the source says.
  virtual absl::StatusOr<Answer> Generate(
      std::span<const gateway::ChatMessage> messages,
      const AnswerOptions& options,
      absl::FunctionRef<void(const AnswerPiece&)> emit,
      absl::FunctionRef<bool()> interrupted) = 0;
};

}  // namespace mesh::cli
