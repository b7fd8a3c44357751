// SPDX-License-Identifier: Apache-2.0
// The face for people. This file knows flags and exit codes, nothing else; it
// is built with exceptions, which its flag library throws.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

#include "absl/status/status.h"
#include "cli/answer_flags.h"
#include "cli/command_flags.h"
#include "cli/console.h"
#include "cli/keygen_flags.h"
#include "cli/mesh_flags.h"
#include "cli/model_flags.h"
#include "service/exit_code.h"
#include "service/version.h"

namespace mesh::cli {
namespace {

constexpr int kBadFlags = 78;

// https://no-color.org, and terminals that know no escape codes.
bool WantsStyle() {
  const char* no_color = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  return (no_color == nullptr || *no_color == '\0') &&
         (terminal == nullptr || std::string(terminal) != "dumb");
}

int Main(int argc, char** argv) {
  Console console(WantsStyle());
  AnswerCommandOptions answer;
  KeygenOptions keygen;
  MeshCommandOptions mesh;
  ModelCommandOptions model;
  Command command;
  CLI::App app("Serves DeepSeek-V3-class models with sharded experts.",
               "expertmesh");
  app.require_subcommand(0, 1);  // none: named below, with what stands there
  app.set_version_flag("--version", std::string(service::Version()));
  AddAnswerCommands(app, &answer, console, &command);
  AddMeshCommands(app, &mesh, console, &command);
  AddKeygenCommand(app, &keygen, console, &command);
  AddModelCommands(app, &model, console, &command);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {  // --help, --version
    return app.exit(success);
  } catch (const CLI::Error& error) {
    console.Note(std::string("expertmesh: ") + error.what() +
                 "; --help shows the flags");
    return kBadFlags;
  }
  if (!command) {
    console.Note("expertmesh: expected a command; --help lists them");
    return kBadFlags;
  }
  absl::Status status = command();
  if (status.ok() && !console.AnswersArrived()) {
    status = absl::UnavailableError("standard output: could not be written");
  }
  if (!status.ok()) {
    console.Note("expertmesh: " + std::string(status.message()));
  }
  return service::ExitCode(status);
}

}  // namespace
}  // namespace mesh::cli

int main(int argc, char** argv) {
  try {
    return mesh::cli::Main(argc, argv);
  } catch (const std::exception& error) {  // a flag that is defined wrongly
    std::fprintf(stderr, "expertmesh: %s\n", error.what());
    return 70;
  }
}
