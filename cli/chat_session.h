// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "cli/answer_source.h"
#include "cli/chat_command.h"
#include "cli/console.h"
#include "cli/conversation.h"
#include "cli/text_printer.h"
#include "core/clock.h"

namespace mesh::cli {

// A conversation under way: what each message does. Errors of one message are
// a line, and the conversation stays as it was. Owned by the main thread.
class ChatSession {
 public:
  // `source`, `console` and `clock` outlive the session.
  ChatSession(std::string system, AnswerOptions options, AnswerSource& source,
              Console& console, const Clock& clock);

  // A command, or a question to the model, which ends early once `interrupted`
  // returns true. False: the person wants to leave.
  bool Take(const std::string& message, absl::FunctionRef<bool()> interrupted);

 private:
  absl::Status Run(const ChatCommand& command,
                   absl::FunctionRef<bool()> interrupted);
  absl::Status Retry(absl::FunctionRef<bool()> interrupted);
  absl::Status Save(const std::string& path);
  absl::Status Load(const std::string& path);
  absl::Status SetTemperature(const std::string& text);
  absl::Status SetThinking(const std::string& text);
  void SetSystem(const std::string& text);

  // The answer follows the first `num_turns` turns and replaces later ones.
  absl::Status AskModel(size_t num_turns, const std::string& question,
                        absl::FunctionRef<bool()> interrupted);
  void NoteEnd(const Answer& answer, const std::string& pace);

  AnswerSource& source_;
  Console& console_;
  const Clock& clock_;
  AnswerOptions options_;
  ThinkingView thinking_ = ThinkingView::kShow;
  Conversation conversation_;
  // A question that has no answer in the conversation.
  std::optional<std::string> unanswered_;
};

}  // namespace mesh::cli
