// SPDX-License-Identifier: Apache-2.0
#include "cli/ask.h"

#include <cstdio>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/interrupt.h"
#include "cli/open_answer_source.h"
#include "cli/text_printer.h"
#include "core/status_macros.h"

namespace mesh::cli {
namespace {

constexpr size_t kMaxQuestionBytes = size_t{4} << 20;

absl::StatusOr<std::string> ReadQuestion(const std::string& question) {
  if (question != "-") return question;
  std::string text;
  char piece[4096];
  for (size_t n = std::fread(piece, 1, sizeof(piece), stdin); n > 0;
       n = std::fread(piece, 1, sizeof(piece), stdin)) {
    text.append(piece, n);
    if (text.size() > kMaxQuestionBytes) {
      return absl::InvalidArgumentError(
          absl::StrCat("standard input: more than ", kMaxQuestionBytes,
                       " bytes, expected one question"));
    }
  }
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

}  // namespace

absl::Status RunAsk(const AskOptions& options, Console& console) {
  ASSIGN_OR_RETURN(const std::string question, ReadQuestion(options.question));
  if (question.empty()) {
    return absl::InvalidArgumentError("the question is empty");
  }
  ASSIGN_OR_RETURN(const auto source,
                   OpenAnswerSource(options.generate, console));

  std::vector<gateway::ChatMessage> messages;
  if (!options.generate.system.empty()) {
    messages.push_back({gateway::Role::kSystem, options.generate.system, ""});
  }
  messages.push_back({gateway::Role::kUser, question, ""});
  const ScopedInterrupt interrupt;
  const RealClock clock;
  TextPrinter printer(ThinkingView::kShow, clock, console);
  ASSIGN_OR_RETURN(const Answer answer,
                   source->Generate(
                       messages, options.generate.answer,
                       [&](const AnswerPiece& piece) { printer.Print(piece); },
                       [&] { return interrupt.Noted(); }));
  console.Answer("\n");
  if (answer.reason == attention::FinishReason::kCancelled) {
    return absl::CancelledError("interrupted");
  }
  if (answer.reason == attention::FinishReason::kLength) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "the answer was cut off after ", answer.num_tokens,
        " tokens; --max-tokens or the model's context ends there"));
  }
  return absl::OkStatus();
}

}  // namespace mesh::cli
