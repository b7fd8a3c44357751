// SPDX-License-Identifier: Apache-2.0
#include "cli/mesh_flags.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "cli/serve.h"

namespace mesh::cli {
namespace {

// The ports of all nodes above it, and of their metrics, are below 65536.
constexpr int kLastBasePort = 63900;

CLI::Option* AddDuration(CLI::App& app, const std::string& name,
                         absl::Duration* target, const std::string& help) {
  return app
      .add_option_function<std::string>(
          name,
          [target](const std::string& text) {
            absl::ParseDuration(text, target);
          },
          help)
      ->check(CLI::Validator(
          [](const std::string& text) {
            absl::Duration duration;
            const bool good = absl::ParseDuration(text, &duration) &&
                              duration > absl::ZeroDuration();
            return good ? "" : absl::StrCat("'", text, "' is no time like 30s");
          },
          "TIME"));
}

void AddStatus(CLI::App& app, StatusOptions* options, Console& console,
               Command* command) {
  CLI::App* sub =
      app.add_subcommand("status", "the nodes of a mesh and what they do");
  options->router.address = kDefaultRouter;
  sub->add_option("--router", options->router.address,
                  "host:port of the mesh's router")
      ->capture_default_str();
  AddTrustFlags(*sub, &options->router);
  AddSwitch(*sub, "--watch", &options->watch,
            "again every second until Ctrl-C");
  AddSwitch(*sub, "--json", &options->json, "everything, for programs");
  AddSwitch(*sub, "--load", &options->load,
            "also the hottest experts and the imbalance of layers");
  AddDuration(*sub, "--wait", &options->wait,
              "first wait, at most so long, until the mesh answers requests");
  sub->add_option("--nodes", options->num_nodes,
                  "with --wait: until so many nodes are ready")
      ->check(CLI::Range(0, 65536));
  sub->callback([=, &console] {
    *command = [=, &console] { return RunStatus(*options, console); };
  });
}

void AddDoctor(CLI::App& app, DoctorOptions* options, Console& console,
               Command* command) {
  CLI::App* sub =
      app.add_subcommand("doctor", "what is wrong with a mesh, and what to do");
  options->router.address = kDefaultRouter;
  options->gateway_address = kDefaultGateway;
  sub->add_option("--router", options->router.address,
                  "host:port of the mesh's router")
      ->capture_default_str();
  sub->add_option("--gateway", options->gateway_address,
                  "host:port of the mesh's gateway")
      ->capture_default_str();
  AddTrustFlags(*sub, &options->router);
  AddKeyFlag(*sub, &options->api_key_file);
  sub->callback([=, &console] {
    *command = [=, &console] { return RunDoctor(*options, console); };
  });
}

void AddServe(CLI::App& app, ServedMesh::Options* options, Console& console,
              Command* command) {
  CLI::App* sub = app.add_subcommand(
      "serve", "a whole mesh in this process, until Ctrl-C or SIGTERM");
  sub->add_option("--config", options->config_path,
                  "YAML, as the four programs read it: a section for each");
  sub->add_option("--model", options->model_dir,
                  "model folder in Hugging Face layout");
  sub->add_option("--port", options->port,
                  "of the gateway; the others are above it; 0: any free ports")
      ->check(CLI::Range(0, kLastBasePort))
      ->capture_default_str();
  sub->add_option("--experts", options->num_experts, "expert nodes")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  sub->add_option("--attention", options->num_attention, "attention nodes")
      ->check(CLI::Range(1, 90))
      ->capture_default_str();
  sub->add_option("--replicas", options->num_replicas, "copies of each expert")
      ->check(CLI::Range(1, 32));
  sub->add_option("--threads", options->num_threads, "of each node")
      ->check(CLI::Range(1, 1024));
  sub->add_option("--transport", options->transport, "of rows")
      ->check(CLI::IsMember({"in-process", "ucx"}));
  sub->add_option("--log-level", options->log_level,
                  "debug, info, warning or error")
      ->capture_default_str();
  sub->callback([=, &console] {
    *command = [=, &console] { return RunServe(*options, console); };
  });
}

}  // namespace

void AddTrustFlags(CLI::App& app, MeshTarget* target) {
  service::ChannelOptions& channel = target->channel;
  app.add_option("--tls-ca", channel.tls.ca_file, "the mesh's CA certificate");
  app.add_option("--tls-cert", channel.tls.cert_file, "your certificate");
  app.add_option("--tls-key", channel.tls.key_file, "its key");
  AddSwitch(app, "--insecure-lab", &channel.insecure_lab,
            "plaintext beyond this machine");
}

void AddKeyFlag(CLI::App& app, std::string* api_key_file) {
  app.add_option("--api-key-file", *api_key_file,
                 "file with your API key, for a gateway that wants one");
}

void AddMeshCommands(CLI::App& app, MeshCommandOptions* options,
                     Console& console, Command* command) {
  AddStatus(app, &options->status, console, command);
  AddDoctor(app, &options->doctor, console, command);
  AddServe(app, &options->serve, console, command);
}

}  // namespace mesh::cli
