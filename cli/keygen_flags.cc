// SPDX-License-Identifier: Apache-2.0
#include "cli/keygen_flags.h"

namespace mesh::cli {

void AddKeygenCommand(CLI::App& app, KeygenOptions* options, Console& console,
                      Command* command) {
  CLI::App* sub = app.add_subcommand(
      "keygen", "an API key for a tenant of the gateway, shown once");
  sub->add_option("--tenant", options->tenant,
                  "its name in the gateway's keys file")
      ->required();
  sub->add_option("--pepper", options->pepper_path,
                  "the gateway's pepper file; made if it is not there")
      ->required();
  sub->callback([=, &console] {
    *command = [=, &console] { return RunKeygen(*options, console); };
  });
}

}  // namespace mesh::cli
