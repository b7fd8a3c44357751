// SPDX-License-Identifier: Apache-2.0
#include "cli/command_flags.h"

#include "absl/strings/str_cat.h"

namespace mesh::cli {

CLI::Validator NumberIn(double least, double most) {
  const std::string range = absl::StrCat("[", least, " - ", most, "]");
  return {[=](const std::string& text) {
            double value = 0;
            const bool inside = CLI::detail::lexical_cast(text, value) &&
                                value >= least && value <= most;
            return inside ? "" : absl::StrCat(text, " not in range ", range);
          },
          absl::StrCat("FLOAT in ", range)};
}

std::vector<CLI::Option*> AddEmbeddedMeshFlags(CLI::App& app,
                                               EmbeddedMesh::Options* options) {
  return {
      app.add_option("--kernels", options->kernels,
                     "auto, avx512, avx2, scalar or reference (float32)"),
      app.add_option("--threads", options->num_threads, "0: one per core")
          ->check(CLI::Range(0, 1024)),
      app.add_option("--shards", options->num_shards,
                     "expert nodes in the process")
          ->check(CLI::Range(1, 256)),
      app.add_option("--replicas", options->num_replicas,
                     "copies of each expert")
          ->check(CLI::Range(1, 32)),
      app.add_option_function<double>(
             "--kv-memory",
             [options](double mib) {
               options->kv_bytes = static_cast<size_t>(mib * 1024 * 1024);
             },
             "memory for latent KV, MiB")
          ->check(NumberIn(1, 1e9)),
  };
}

void AddSwitch(CLI::App& app, const std::string& name, bool* target,
               const std::string& help) {
  app.add_flag(name, *target, help)
      ->multi_option_policy(CLI::MultiOptionPolicy::Throw);
}

}  // namespace mesh::cli
