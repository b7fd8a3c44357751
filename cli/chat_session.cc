// SPDX-License-Identifier: Apache-2.0
#include "cli/chat_session.h"

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "cli/answer_pace.h"
#include "core/file.h"
#include "core/status_macros.h"
#include "gateway/utf8.h"

namespace mesh::cli {
namespace {

constexpr size_t kMaxFileBytes = size_t{64} << 20;
constexpr float kMaxTemperature = 2;

std::string TurnsText(size_t num_turns) {
  return absl::StrCat(num_turns, num_turns == 1 ? " turn" : " turns");
}

}  // namespace

ChatSession::ChatSession(std::string system, AnswerOptions options,
                         AnswerSource& source, Console& console,
                         const Clock& clock)
    : source_(source),
      console_(console),
      clock_(clock),
      options_(std::move(options)),
      conversation_(std::move(system)) {}

bool ChatSession::Take(const std::string& message,
                       absl::FunctionRef<bool()> interrupted) {
  absl::Status status;
  if (LooksLikeChatCommand(message)) {
    const auto command = ParseChatCommand(message);
    if (command.ok() && command->kind == ChatCommand::Kind::kExit) return false;
    status = command.ok() ? Run(*command, interrupted) : command.status();
  } else {
    status = AskModel(conversation_.Turns().size(), message, interrupted);
  }
  if (!status.ok()) {
    console_.Note(absl::StrCat("expertmesh: ", status.message()));
  }
  return true;
}

absl::Status ChatSession::Run(const ChatCommand& command,
                              absl::FunctionRef<bool()> interrupted) {
  using Kind = ChatCommand::Kind;
  switch (command.kind) {
    case Kind::kClear:
      conversation_.Truncate(0);
      unanswered_.reset();
      return absl::OkStatus();
    case Kind::kHelp:
      for (const std::string& line : ChatCommandHelp()) console_.Note(line);
      return absl::OkStatus();
    case Kind::kLoad:
      return Load(command.argument);
    case Kind::kRetry:
      return Retry(interrupted);
    case Kind::kSave:
      return Save(command.argument);
    case Kind::kSystem:
      SetSystem(command.argument);
      return absl::OkStatus();
    case Kind::kTemperature:
      return SetTemperature(command.argument);
    case Kind::kThinking:
      return SetThinking(command.argument);
    case Kind::kExit:
      break;  // known to Take()
  }
  return absl::OkStatus();
}

absl::Status ChatSession::Retry(absl::FunctionRef<bool()> interrupted) {
  const std::vector<Turn>& turns = conversation_.Turns();
  if (unanswered_.has_value()) {
    return AskModel(turns.size(), std::string(*unanswered_), interrupted);
  }
  if (turns.empty()) {
    return absl::InvalidArgumentError("nothing was asked yet");
  }
  return AskModel(turns.size() - 1, std::string(turns.back().question),
                  interrupted);
}

absl::Status ChatSession::Save(const std::string& path) {
  ASSIGN_OR_RETURN(const auto file, FileWriter::Create(path));
  RETURN_IF_ERROR(file->Append(conversation_.ToJson()));
  RETURN_IF_ERROR(file->Close());
  console_.Aside(absl::StrCat("saved ", TurnsText(conversation_.Turns().size()),
                              " to ", path));
  return absl::OkStatus();
}

absl::Status ChatSession::Load(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxFileBytes));
  ASSIGN_OR_RETURN(conversation_, Conversation::FromJson(text, path));
  unanswered_.reset();
  console_.Aside(absl::StrCat(
      "loaded ", TurnsText(conversation_.Turns().size()), " from ", path));
  return absl::OkStatus();
}

absl::Status ChatSession::SetTemperature(const std::string& text) {
  if (text.empty()) {
    options_.temperature.reset();
    console_.Aside("temperature as the model recommends");
    return absl::OkStatus();
  }
  float value = 0;
  if (!absl::SimpleAtof(text, &value) ||
      !(value >= 0 && value <= kMaxTemperature)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "temperature: expected 0 to ", kMaxTemperature, ", got '", text, "'"));
  }
  options_.temperature = value;
  console_.Aside(absl::StrCat("temperature ", value));
  return absl::OkStatus();
}

absl::Status ChatSession::SetThinking(const std::string& text) {
  constexpr std::pair<absl::string_view, ThinkingView> kViews[] = {
      {"show", ThinkingView::kShow},
      {"hide", ThinkingView::kHide},
      {"fold", ThinkingView::kFold}};
  for (const auto& [name, view] : kViews) {
    if (text != name) continue;
    thinking_ = view;
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("thinking: expected show, hide or fold, got '", text, "'"));
}

void ChatSession::SetSystem(const std::string& text) {
  conversation_.SetSystem(text);
  console_.Aside(text.empty() ? "no system message" : "system message set");
}

absl::Status ChatSession::AskModel(size_t num_turns,
                                   const std::string& question,
                                   absl::FunctionRef<bool()> interrupted) {
  const size_t invalid = gateway::FindInvalidUtf8(question);
  if (invalid != question.npos) {
    return absl::InvalidArgumentError(
        absl::StrCat("text is not UTF-8 at byte ", invalid));
  }
  // Until there is an answer.
  if (num_turns == conversation_.Turns().size()) unanswered_ = question;
  TextPrinter printer(thinking_, clock_, console_);
  AnswerPace pace(clock_.Now());
  auto answer = source_.Generate(
      conversation_.Ask(num_turns, question), options_,
      [&](const AnswerPiece& piece) {
        pace.Add(piece.num_tokens, clock_.Now());
        printer.Print(piece);
      },
      [&] {
        printer.Tick();
        return interrupted();
      });
  printer.Finish();
  RETURN_IF_ERROR(answer.status());
  const bool has_begun = !answer->text.empty() ||
                         answer->reason != attention::FinishReason::kCancelled;
  if (has_begun) console_.Answer("\n");
  NoteEnd(*answer, pace.Text());
  if (!has_begun) return absl::OkStatus();
  unanswered_.reset();
  conversation_.Truncate(num_turns);
  conversation_.Add(
      {question, std::move(answer->text), std::move(answer->reasoning)});
  return absl::OkStatus();
}

void ChatSession::NoteEnd(const Answer& answer, const std::string& pace) {
  if (answer.reason == attention::FinishReason::kCancelled) {
    console_.Note("(stopped)");
  } else if (answer.reason == attention::FinishReason::kLength) {
    const bool by_flag =
        options_.max_tokens > 0 && answer.num_tokens >= options_.max_tokens;
    console_.Note(by_flag ? "(cut off by --max-tokens)"
                          : "(cut off: no room is left in the context; /clear "
                            "begins anew)");
  }
  if (console_.NotesAreSeen() && !pace.empty()) console_.Aside(pace);
}

}  // namespace mesh::cli
