// SPDX-License-Identifier: Apache-2.0
#include "cli/chat.h"

#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "cli/chat_session.h"
#include "cli/interrupt.h"
#include "cli/line_reader.h"
#include "cli/open_answer_source.h"
#include "core/clock.h"
#include "core/status_macros.h"

namespace mesh::cli {

absl::Status RunChat(const GenerateOptions& options, Console& console) {
  ASSIGN_OR_RETURN(const auto source, OpenAnswerSource(options, console));
  console.Note(
      absl::StrCat(source->Description(),
                   ". /help lists the commands, /exit or Ctrl-D ends."));
  const RealClock clock;
  ChatSession session(options.system, options.answer, *source, console, clock);
  ScopedInterrupt interrupt;
  LineReader reader(STDIN_FILENO);
  const auto interrupted = [&] { return interrupt.Noted(); };
  bool once_more_ends = false;
  std::string message;
  while (true) {
    if (console.InputIsTerminal()) console.Prompt();
    const LineReader::Outcome outcome =
        reader.Read(interrupted, LooksLikeChatCommand, &message);
    if (outcome == LineReader::Outcome::kEnd) break;
    if (outcome == LineReader::Outcome::kInterrupted) {
      if (once_more_ends) break;
      console.Note("");
      console.Aside("Ctrl-C once more ends, and so does Ctrl-D");
      interrupt.Forget();
      once_more_ends = true;
      continue;
    }
    once_more_ends = false;
    if (message.empty()) continue;
    if (!session.Take(message, interrupted)) break;
    once_more_ends = interrupt.Noted();
    interrupt.Forget();
  }
  // The shell's prompt begins a line.
  if (console.InputIsTerminal()) console.Note("");
  return absl::OkStatus();
}

}  // namespace mesh::cli
