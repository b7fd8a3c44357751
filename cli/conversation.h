// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "gateway/chat_template.h"

namespace mesh::cli {

// A question and its answer.
struct Turn {
  std::string question;
  std::string answer;
  std::string reasoning = {};

  friend bool operator==(const Turn&, const Turn&) = default;
};

// What was said, and the system message before it. Owned by one thread.
class Conversation {
 public:
  explicit Conversation(std::string system = "") : system_(std::move(system)) {}

  // Reads what ToJson gave, or anything else with "messages" in OpenAI's form:
  // perhaps a system message, then user and assistant by turns. `name` begins
  // every error. Errors: kInvalidArgument.
  static absl::StatusOr<Conversation> FromJson(absl::string_view text,
                                               absl::string_view name);
  // {"messages": [{"role", "content", "reasoning_content"?}, ...]}
  std::string ToJson() const;

  // What a model is asked: the system message, `num_turns` turns, the question.
  std::vector<gateway::ChatMessage> Ask(size_t num_turns,
                                        const std::string& question) const;

  void SetSystem(std::string system) { system_ = std::move(system); }
  // Forgets turns but the first `num_turns`.
  void Truncate(size_t num_turns) { turns_.resize(num_turns); }
  void Add(Turn turn) { turns_.push_back(std::move(turn)); }

  const std::string& System() const { return system_; }  // empty: none
  const std::vector<Turn>& Turns() const { return turns_; }

 private:
  std::string system_;
  std::vector<Turn> turns_;
};

}  // namespace mesh::cli
