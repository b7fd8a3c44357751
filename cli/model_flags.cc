// SPDX-License-Identifier: Apache-2.0
#include "cli/model_flags.h"

namespace mesh::cli {
namespace {

void AddScore(CLI::App& app, ScoreOptions* options, Console& console,
              Command* command) {
  CLI::App* sub = app.add_subcommand(
      "score",
      "log-probabilities and greedy ids for token-id prompts, as JSON");
  sub->add_option("--model", options->mesh.model_dir)->required();
  sub->add_option("--prompts", options->prompts_path,
                  "JSON: an array of arrays of token ids")
      ->required();
  sub->add_option("--top", options->top, "entries for each position")
      ->check(CLI::Range(1, 20))
      ->capture_default_str();
  sub->add_option("--steps", options->steps, "greedy ids after the prompt")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  AddEmbeddedMeshFlags(*sub, &options->mesh);
  sub->callback([=, &console] {
    *command = [=, &console] { return RunScore(*options, console); };
  });
}

void AddTokenize(CLI::App& app, TokenizeOptions* options, Command* command) {
  CLI::App* sub =
      app.add_subcommand("tokenize", "token ids of each line of a file");
  sub->add_option("--model", options->model_dir)->required();
  sub->add_option("file", options->path, "'-': standard input")->required();
  AddSwitch(*sub, "--special", &options->special,
            "recognise special tokens in the text");
  sub->callback([=] { *command = [=] { return RunTokenize(*options); }; });
}

void AddHash(CLI::App& app, HashOptions* options, Console& console,
             Command* command) {
  CLI::App* sub = app.add_subcommand(
      "hash", "write the manifest that a model is checked against at load");
  sub->add_option("dir", options->model_dir, "model folder")->required();
  AddSwitch(*sub, "--check", &options->check,
            "compare every byte with the manifest");
  sub->callback([=, &console] {
    *command = [=, &console] { return RunHash(*options, console); };
  });
}

void AddInspect(CLI::App& app, InspectOptions* options, Console& console,
                Command* command) {
  CLI::App* sub = app.add_subcommand(
      "inspect", "what a model is, what it needs, which node would read what");
  sub->add_option("dir", options->model_dir, "model folder")->required();
  sub->add_option("--nodes", options->num_nodes, "expert nodes")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  sub->add_option("--replicas", options->num_replicas, "copies of each expert")
      ->check(CLI::Range(1, 32))
      ->capture_default_str();
  sub->callback([=, &console] {
    *command = [=, &console] { return RunInspect(*options, console); };
  });
}

void AddMakeModel(CLI::App& app, MakeModelCommandOptions* options,
                  Console& console, Command* command) {
  CLI::App* sub = app.add_subcommand(
      "make-model", "write a random-weight checkpoint of any shape");
  sub->add_option("config", options->config_path, "a config.json")->required();
  sub->add_option("out", options->out_dir, "folder to make")->required();
  sub->add_option("--seed", options->seed)
      ->check(NumberIn(0, 1.8446744073709552e19))
      ->capture_default_str();
  sub->add_option("--dtype", options->dtype)
      ->check(CLI::IsMember({"bf16", "fp8"}))
      ->capture_default_str();
  sub->add_option("--shard-bytes", options->max_shard_bytes)
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  sub->add_option("--threads", options->num_threads)
      ->check(CLI::Range(0, 1024));
  sub->callback([=, &console] {
    *command = [=, &console] { return RunMakeModel(*options, console); };
  });
}

void AddQuantize(CLI::App& app, QuantizeCommandOptions* options,
                 std::string* dtype, Console& console, Command* command) {
  CLI::App* sub = app.add_subcommand(
      "quantize", "write a block-scaled FP8 copy of a checkpoint");
  sub->add_option("source", options->from_dir, "bf16 model folder")->required();
  sub->add_option("destination", options->to_dir, "folder to make")->required();
  sub->add_option("--dtype", *dtype)
      ->check(CLI::IsMember({"fp8"}))
      ->capture_default_str();
  sub->add_option("--threads", options->num_threads)
      ->check(CLI::Range(0, 1024));
  sub->callback([=, &console] {
    *command = [=, &console] { return RunQuantize(*options, console); };
  });
}

}  // namespace

void AddModelCommands(CLI::App& app, ModelCommandOptions* options,
                      Console& console, Command* command) {
  AddScore(app, &options->score, console, command);
  AddTokenize(app, &options->tokenize, command);
  AddHash(app, &options->hash, console, command);
  AddInspect(app, &options->inspect, console, command);
  AddMakeModel(app, &options->make_model, console, command);
  AddQuantize(app, &options->quantize, &options->quantize_dtype, console,
              command);
}

}  // namespace mesh::cli
