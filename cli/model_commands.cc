// SPDX-License-Identifier: Apache-2.0
#include "cli/model_commands.h"

#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/digest.h"
#include "core/file.h"
#include "core/num_threads.h"
#include "core/status_macros.h"
#include "core/thread_pool.h"
#include "model/hash_checkpoint.h"
#include "model/make_model.h"
#include "model/quantize.h"

namespace mesh::cli {
namespace {

constexpr size_t kMaxConfigBytes = size_t{1} << 20;

// "DOING 12.3 of 45.6 GB" on one line that is written over.
model::Progress ProgressOf(absl::string_view doing, Console& console) {
  return [doing, &console](uint64_t done, uint64_t total) {
    console.Status(absl::StrFormat("%s %.2f of %.2f GB", doing,
                                   static_cast<double>(done) / 1e9,
                                   static_cast<double>(total) / 1e9));
  };
}

}  // namespace

absl::Status RunHash(const HashOptions& options, Console& console) {
  Digest digest;
  if (options.check) {
    ASSIGN_OR_RETURN(digest,
                     model::VerifyCheckpoint(options.model_dir,
                                             ProgressOf("checking", console)));
  } else {
    ASSIGN_OR_RETURN(const model::Manifest manifest,
                     model::HashCheckpoint(options.model_dir,
                                           ProgressOf("hashing", console)));
    const std::string path =
        absl::StrCat(options.model_dir, "/", model::kManifestFileName);
    RETURN_IF_ERROR(model::WriteManifest(manifest, path));
    digest = manifest.ModelDigest();
  }
  console.Status("");
  std::puts(digest.ToHex().c_str());
  return absl::OkStatus();
}

absl::Status RunMakeModel(const MakeModelCommandOptions& options,
                          Console& console) {
  ASSIGN_OR_RETURN(const std::string config,
                   ReadFile(options.config_path, kMaxConfigBytes));
  model::MakeModelOptions make;
  make.seed = options.seed;
  make.fp8 = options.dtype == "fp8";
  make.max_shard_bytes = options.max_shard_bytes;
  make.progress = ProgressOf("writing", console);
  ThreadPool pool(NumThreads(options.num_threads));
  RETURN_IF_ERROR(model::MakeModel(config, options.out_dir, make, pool));
  console.Status("");
  return absl::OkStatus();
}

absl::Status RunQuantize(const QuantizeCommandOptions& options,
                         Console& console) {
  model::QuantizeOptions quantize;
  quantize.progress = ProgressOf("quantizing", console);
  ThreadPool pool(NumThreads(options.num_threads));
  RETURN_IF_ERROR(model::QuantizeCheckpoint(options.from_dir, options.to_dir,
                                            quantize, pool));
  console.Status("");
  return absl::OkStatus();
}

}  // namespace mesh::cli
