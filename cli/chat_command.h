// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace mesh::cli {

// A line of a chat that is for the program and not for the model.
struct ChatCommand {
  enum class Kind {
    kClear,
    kExit,
    kHelp,
    kLoad,
    kRetry,
    kSave,
    kSystem,
    kTemperature,
    kThinking,
  };
  Kind kind = Kind::kHelp;
  std::string argument;  // without blanks around it

  friend bool operator==(const ChatCommand&, const ChatCommand&) = default;
};

// One line that begins with a slash; what begins with a blank is a message.
bool LooksLikeChatCommand(absl::string_view message);

// Errors: kInvalidArgument for an unknown command, for an argument where there
// may be none, and for none where there must be one.
absl::StatusOr<ChatCommand> ParseChatCommand(absl::string_view line);

// A line for each command.
std::vector<std::string> ChatCommandHelp();

}  // namespace mesh::cli
