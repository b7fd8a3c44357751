// SPDX-License-Identifier: Apache-2.0
#include "cli/answer_flags.h"

#include <vector>

#include "cli/chat.h"
#include "cli/mesh_flags.h"

namespace mesh::cli {
namespace {

void AddSamplingFlags(CLI::App& app, AnswerOptions* options) {
  app.add_option("--temperature", options->temperature, "0: greedy")
      ->check(NumberIn(0, 2));
  app.add_option("--top-p", options->top_p)->check(NumberIn(1e-6, 1));
  app.add_option("--top-k", options->top_k, "0: off")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--min-p", options->min_p)->check(NumberIn(0, 1));
  app.add_option("--seed", options->seed, "drawn if not given")
      ->check(NumberIn(0, 1.8446744073709552e19));
  app.add_option("--max-tokens", options->max_tokens,
                 "thinking counts; 0: what the context holds")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--stop", options->stops, "ends the answer; may be repeated")
      ->allow_extra_args(false);
  AddSwitch(app, "--no-thinking", &options->no_thinking,
            "for templates that know both modes");
}

// Returns the flags that have a meaning only for an answer in this process.
std::vector<CLI::Option*> AddGenerateFlags(CLI::App& app,
                                           GenerateOptions* options) {
  CLI::Option* gateway = app.add_option(
      "--gateway", options->gateway.address,
      std::string("host:port of a mesh's gateway; without it and --model: ") +
          kDefaultGateway + " if one is there, else this process");
  AddTrustFlags(app, &options->gateway);
  AddKeyFlag(app, &options->gateway.api_key_file);
  app.add_option("--system", options->system, "system message");
  AddSamplingFlags(app, &options->answer);

  std::vector<CLI::Option*> embedded =
      AddEmbeddedMeshFlags(app, &options->mesh);
  embedded.push_back(app.add_option("--model", options->mesh.model_dir,
                                    "model folder in Hugging Face layout; "
                                    "the answer comes from this process"));
  embedded.push_back(
      app.add_option("--chat-template", options->chat_template,
                     "for models whose own template is not known"));
  for (CLI::Option* option : embedded) gateway->excludes(option);
  return embedded;
}

bool AnyGiven(const std::vector<CLI::Option*>& options) {
  for (const CLI::Option* option : options) {
    if (option->count() > 0) return true;
  }
  return false;
}

void AddChat(CLI::App& app, GenerateOptions* options, Console& console,
             Command* command) {
  CLI::App* sub = app.add_subcommand("chat", "talk with a model");
  const auto embedded = AddGenerateFlags(*sub, options);
  sub->callback([=, &console] {
    options->in_process = AnyGiven(embedded);
    *command = [=, &console] { return RunChat(*options, console); };
  });
}

void AddAsk(CLI::App& app, AskOptions* options, Console& console,
            Command* command) {
  CLI::App* sub = app.add_subcommand(
      "ask", "one answer on standard output, its thinking on standard error");
  const auto embedded = AddGenerateFlags(*sub, &options->generate);
  sub->add_option("question", options->question, "'-': standard input")
      ->required();
  sub->callback([=, &console] {
    options->generate.in_process = AnyGiven(embedded);
    *command = [=, &console] { return RunAsk(*options, console); };
  });
}

}  // namespace

void AddAnswerCommands(CLI::App& app, AnswerCommandOptions* options,
                       Console& console, Command* command) {
  AddChat(app, &options->chat, console, command);
  AddAsk(app, &options->ask, console, command);
}

}  // namespace mesh::cli
