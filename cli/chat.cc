// SPDX-License-Identifier: Apache-2.0
#include "cli/chat.h"

#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/interrupt.h"
#include "cli/open_answer_source.h"
#include "cli/text_printer.h"
#include "core/status_macros.h"

namespace mesh::cli {
namespace {

using Messages = std::vector<gateway::ChatMessage>;

Messages NewConversation(const GenerateOptions& options) {
  Messages messages;
  if (!options.system.empty()) {
    messages.push_back({gateway::Role::kSystem, options.system, ""});
  }
  return messages;
}

// One turn: the user's line, and the answer if there was one.
void TakeTurn(const std::string& line, const AnswerOptions& options,
              AnswerSource& source, Console& console, Messages* messages) {
  messages->push_back({gateway::Role::kUser, line, ""});
  const ScopedInterrupt interrupt;
  TextPrinter printer(console);
  auto answer = source.Generate(
      *messages, options,
      [&](const gateway::TextDelta& delta) { printer.Print(delta); },
      [&] { return interrupt.Noted(); });
  if (!answer.ok()) {
    console.Note(absl::StrCat("expertmesh: ", answer.status().message()));
    messages->pop_back();
    return;
  }
  console.Answer("\n");
  if (answer->reason == attention::FinishReason::kCancelled) {
    console.Note("(stopped)");
  } else if (answer->reason == attention::FinishReason::kLength) {
    console.Note("(cut off: no room is left in the context; /new begins anew)");
  }
  messages->push_back({gateway::Role::kAssistant, std::move(answer->text),
                       std::move(answer->reasoning)});
}

}  // namespace

absl::Status RunChat(const GenerateOptions& options, Console& console) {
  ASSIGN_OR_RETURN(const auto source, OpenAnswerSource(options, console));
  console.Note(absl::StrCat(source->Description(),
                            ". /new forgets, /exit or Ctrl-D ends."));
  Messages messages = NewConversation(options);
  std::string line;
  while (true) {
    if (console.InputIsTerminal()) console.Prompt();
    if (!std::getline(std::cin, line) || line == "/exit") break;
    if (line.empty()) continue;
    if (line == "/new") {
      messages = NewConversation(options);
    } else {
      TakeTurn(line, options.answer, *source, console, &messages);
    }
  }
  return absl::OkStatus();
}

}  // namespace mesh::cli
