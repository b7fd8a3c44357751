// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "absl/status/status.h"
#include "cli/console.h"
#include "cli/generate_options.h"

namespace mesh::cli {

// A conversation: what is typed, line by line, to the model and what begins
// with a slash to the program, until the end of input, "/exit", or two Ctrl-C
// in a row, of which the first may have stopped an answer.
absl::Status RunChat(const GenerateOptions& options, Console& console);

}  // namespace mesh::cli
