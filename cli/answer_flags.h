// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cli/ask.h"
#include "cli/command_flags.h"
#include "cli/console.h"
#include "cli/generate_options.h"

namespace mesh::cli {

struct AnswerCommandOptions {
  GenerateOptions chat;
  AskOptions ask;
};

// `chat` and `ask`. `options` and `console` outlive the command.
void AddAnswerCommands(CLI::App& app, AnswerCommandOptions* options,
                       Console& console, Command* command);

}  // namespace mesh::cli
