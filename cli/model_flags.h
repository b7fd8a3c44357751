// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cli/command_flags.h"
#include "cli/console.h"
#include "cli/inspect.h"
#include "cli/model_commands.h"
#include "cli/score.h"
#include "cli/tokenize.h"

namespace mesh::cli {

// What the flags of the commands on model folders set; the rest keeps its
// defaults.
struct ModelCommandOptions {
  ScoreOptions score;
  TokenizeOptions tokenize;
  HashOptions hash;
  InspectOptions inspect;
  MakeModelCommandOptions make_model;
  QuantizeCommandOptions quantize;
  std::string quantize_dtype = "fp8";
};

// `score`, `tokenize`, `inspect`, `hash`, `make-model`, `quantize`.
// `options` and `console` outlive the command.
void AddModelCommands(CLI::App& app, ModelCommandOptions* options,
                      Console& console, Command* command);

}  // namespace mesh::cli
