// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cli/command_flags.h"
#include "cli/console.h"
#include "cli/keygen.h"

namespace mesh::cli {

// `keygen`. `options` and `console` outlive the command.
void AddKeygenCommand(CLI::App& app, KeygenOptions* options, Console& console,
                      Command* command);

}  // namespace mesh::cli
