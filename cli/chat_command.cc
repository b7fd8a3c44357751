// SPDX-License-Identifier: Apache-2.0
#include "cli/chat_command.h"

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace mesh::cli {
namespace {

using Kind = ChatCommand::Kind;

struct Entry {
  absl::string_view name;
  Kind kind;
  absl::string_view argument;  // empty: takes none
  bool needs_argument;
  absl::string_view does;
};

constexpr Entry kCommands[] = {
    {"/clear", Kind::kClear, "", false,
     "forgets what was said; the system message stays"},
    {"/exit", Kind::kExit, "", false, "ends, as Ctrl-D does"},
    {"/help", Kind::kHelp, "", false, "lists the commands"},
    {"/load", Kind::kLoad, "FILE", true, "goes on with a saved conversation"},
    {"/retry", Kind::kRetry, "", false, "asks the last question again"},
    {"/save", Kind::kSave, "FILE", true, "writes the conversation, as JSON"},
    {"/system", Kind::kSystem, "TEXT", false,
     "sets the system message; without TEXT: removes it"},
    {"/temperature", Kind::kTemperature, "X", false,
     "0 (greedy) to 2; without X: as the model recommends"},
    {"/thinking", Kind::kThinking, "show|hide|fold", true,
     "fold: one line that counts"},
};

absl::string_view NameOf(absl::string_view line) {
  return line.substr(0, line.find_first_of(" \t"));
}

}  // namespace

bool LooksLikeChatCommand(absl::string_view message) {
  return !message.empty() && message[0] == '/' &&
         message.find('\n') == message.npos;
}

absl::StatusOr<ChatCommand> ParseChatCommand(absl::string_view line) {
  const absl::string_view name = NameOf(line);
  const absl::string_view argument =
      absl::StripAsciiWhitespace(line.substr(name.size()));
  for (const Entry& entry : kCommands) {
    if (name != entry.name) continue;
    if (argument.empty() && entry.needs_argument) {
      return absl::InvalidArgumentError(
          absl::StrCat("expected ", entry.name, " ", entry.argument));
    }
    if (!argument.empty() && entry.argument.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("expected nothing after ", entry.name));
    }
    return ChatCommand{entry.kind, std::string(argument)};
  }
  return absl::InvalidArgumentError(absl::StrCat(
      name,
      " is no command; /help lists them, and a message that begins with "
      "a slash needs a blank before it"));
}

std::vector<std::string> ChatCommandHelp() {
  std::vector<std::string> lines;
  for (const Entry& entry : kCommands) {
    lines.push_back(absl::StrFormat(
        "%-24s %s", absl::StrCat(entry.name, " ", entry.argument), entry.does));
  }
  lines.push_back("Ctrl-C stops an answer; at the prompt, two of them end.");
  return lines;
}

}  // namespace mesh::cli
