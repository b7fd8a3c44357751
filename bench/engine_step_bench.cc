// SPDX-License-Identifier: Apache-2.0
// Steps of the whole engine on a model folder: prefill and decode at several
// batch sizes, with the share of the limit that this machine sets in this run.
//
//   engine_step_bench [MODEL_DIR] [KERNELS]
//
// Limits: a decode step must read every weight that it touches once, at the
// read bandwidth; a prefill step must do two operations per weight and row, at
// the bf16 peak. A small model fits into the cache, so its decode steps are
// bound by the number of parallel loops and not by either.
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "attention-node/token_sink.h"
#include "bench/limits.h"
#include "cli/embedded_mesh.h"
#include "core/num_threads.h"

namespace mesh {
namespace {

class IgnoringSink final : public attention::TokenSink {
 public:
  void OnPromptLogprobs(std::span<const attention::PromptLogprob>) override {}
  void OnToken(const attention::EmittedToken&) override {}
  void OnFinished(attention::FinishReason, const absl::Status&) override {}
};

// Weights that one row passes through, and those that a step of `batch` rows
// touches if the gate chooses evenly.
struct ModelWork {
  double weights_per_row = 0;
  double dense_bytes = 0;   // read whatever the batch is
  double expert_bytes = 0;  // of one expert
  int num_moe_layers = 0;
};

ModelWork WorkOf(const cli::EmbeddedMesh& mesh) {
  const model::DeepseekConfig& config = mesh.Checkpoint().Config();
  ModelWork work;
  const double element_bytes = config.quantization.has_value() ? 1 : 2;
  for (int layer = 0; layer < config.num_hidden_layers; ++layer) {
    work.num_moe_layers += config.IsMoeLayer(layer) ? 1 : 0;
  }
  const double expert_weights =
      3.0 * config.hidden_size * config.moe_intermediate_size;
  const double all_experts =
      expert_weights * config.n_routed_experts * work.num_moe_layers;
  const double embedding =
      static_cast<double>(config.vocab_size) * config.hidden_size;
  double mtp = 0;
  for (int i = 0; i < config.num_nextn_predict_layers; ++i) {
    mtp += (static_cast<double>(config.ParameterCount()) - embedding * 2) /
           (config.num_hidden_layers + config.num_nextn_predict_layers);
  }
  const double dense = static_cast<double>(config.ParameterCount()) -
                       all_experts - embedding - mtp;
  work.expert_bytes = expert_weights * element_bytes;
  work.dense_bytes = dense * element_bytes;
  work.weights_per_row =
      dense + expert_weights * config.num_experts_per_tok * work.num_moe_layers;
  return work;
}

// Experts of a layer that `rows` rows touch, for even and independent choices.
double TouchedExperts(const model::DeepseekConfig& config, int rows) {
  double untouched = 1;
  for (int i = 0; i < rows; ++i) {
    untouched *= 1.0 - static_cast<double>(config.num_experts_per_tok) /
                           config.n_routed_experts;
  }
  return config.n_routed_experts * (1 - untouched);
}

void Submit(cli::EmbeddedMesh& mesh, uint64_t request, int prompt_tokens,
            int max_tokens) {
  attention::Transcript transcript;
  transcript.request = RequestId{request};
  const int vocab_size = mesh.EngineModel().vocab_size;
  for (int i = 0; i < prompt_tokens; ++i) {
    transcript.prompt.push_back(static_cast<TokenId>(
        (static_cast<int>(request) * 7919 + i * 104729) % vocab_size));
  }
  transcript.sampling.temperature = 0;
  transcript.sampling.ignore_eos = true;
  transcript.sampling.max_tokens = max_tokens;
  transcript.numerics = mesh.EngineModel().numerics;
  transcript.model = mesh.EngineModel().digest;
  const absl::Status submitted =
      mesh.Engine().Submit(std::move(transcript), absl::InfiniteFuture(),
                           std::make_shared<IgnoringSink>());
  if (!submitted.ok()) {
    std::fprintf(stderr, "%s\n", submitted.ToString().c_str());
  }
}

double SecondsOf(cli::EmbeddedMesh& mesh, int num_steps) {
  const absl::Time start = absl::Now();
  for (int i = 0; i < num_steps; ++i) mesh.Engine().Step();
  return absl::ToDoubleSeconds(absl::Now() - start);
}

void BenchDecode(cli::EmbeddedMesh& mesh, const bench::Limits& limits,
                 uint64_t* request) {
  const ModelWork work = WorkOf(mesh);
  for (const int batch : {1, 4, 16, 64}) {
    constexpr int kSteps = 40;
    for (int i = 0; i < batch; ++i) Submit(mesh, ++*request, 4, kSteps + 4);
    SecondsOf(mesh, 3);  // prefill, and a first warm step
    const double seconds = SecondsOf(mesh, kSteps) / kSteps;
    while (mesh.Engine().Step()) {
    }
    const double bytes = work.dense_bytes +
                         work.expert_bytes * work.num_moe_layers *
                             TouchedExperts(mesh.Checkpoint().Config(), batch);
    std::printf(
        "decode  %4d rows  %9.0f tokens/s  %5.1f %% of read bandwidth\n", batch,
        batch / seconds, 100 * bytes / seconds / limits.read_bandwidth);
  }
}

void BenchPrefill(cli::EmbeddedMesh& mesh, const bench::Limits& limits,
                  uint64_t* request) {
  const ModelWork work = WorkOf(mesh);
  for (const int rows : {64, 256, 512}) {
    double best = 1e9;
    for (int repeat = 0; repeat < 5; ++repeat) {
      Submit(mesh, ++*request, rows, 1);
      best = std::min(best, SecondsOf(mesh, 1));
      while (mesh.Engine().Step()) {
      }
    }
    std::printf(
        "prefill %4d rows  %9.0f tokens/s  %5.1f %% of bf16 peak\n", rows,
        rows / best,
        100 * 2 * work.weights_per_row * rows / best / limits.bf16_flops);
  }
}

}  // namespace
}  // namespace mesh

int main(int argc, char** argv) {
  mesh::cli::EmbeddedMesh::Options options;
  options.model_dir = argc > 1 ? argv[1] : "models/tiny-r1";
  options.kernels = argc > 2 ? argv[2] : "auto";
  auto mesh = mesh::cli::EmbeddedMesh::Create(options);
  if (!mesh.ok()) {
    std::fprintf(stderr, "%s\n", mesh.status().ToString().c_str());
    return 1;
  }
  std::printf("%s on %s kernels\n", options.model_dir.c_str(),
              std::string((*mesh)->Kernels().Name()).c_str());
  uint64_t request = 0;
  mesh::ThreadPool pool(mesh::NumThreads(0));
  const mesh::bench::Limits limits = mesh::bench::MeasureLimits(pool);
  mesh::bench::PrintLimits(limits, "in this run");
  mesh::BenchDecode(**mesh, limits, &request);
  mesh::BenchPrefill(**mesh, limits, &request);
  return 0;
}
