// SPDX-License-Identifier: Apache-2.0
// The reference streams through a mesh of processes, and through the same
// engine and shards in one process, in turns in one run: tokens per second at
// several numbers of concurrent streams, what a MoE layer's way to the expert
// nodes and back adds to a step, and the links' own round trip.
//
//   mesh_bench [EXPERT_NODES] [REPEATS]
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "attention-node/transcript.h"
#include "cli/embedded_mesh.h"
#include "tests/integration/reference_streams.h"
#include "tests/integration/streams.h"
#include "tests/support/gateway_streams.h"
#include "tests/support/process_mesh.h"

namespace mesh {
namespace {

constexpr int kMaxExpertNodes = 16;

struct Rate {
  int64_t num_tokens = 0;
  double seconds = 0;

  double TokensPerSecond() const {
    return static_cast<double>(num_tokens) / seconds;
  }
};

// All reference streams, `num_concurrent` at a time.
Rate RunProcesses(ProcessMesh& mesh, int num_concurrent) {
  const absl::Time start = absl::Now();
  GatewayStreams streams(mesh.Gateway(), num_concurrent, kNumStreams);
  const StreamsReport report = streams.Finish(absl::Minutes(2));
  if (report.num_same != static_cast<int>(kNumStreams)) {
    std::fprintf(stderr, "mesh_bench: %s\n", report.first_problem.c_str());
    std::exit(1);
  }
  return {report.num_tokens, absl::ToDoubleSeconds(absl::Now() - start)};
}

Rate RunEmbedded(cli::EmbeddedMesh& mesh, int num_concurrent) {
  const std::vector<attention::Transcript> all = Streams(mesh);
  Rate rate;
  const absl::Time start = absl::Now();
  for (size_t begin = 0; begin < all.size();
       begin += static_cast<size_t>(num_concurrent)) {
    const size_t end =
        std::min(all.size(), begin + static_cast<size_t>(num_concurrent));
    const std::vector<attention::Transcript> some(
        all.begin() + static_cast<std::ptrdiff_t>(begin),
        all.begin() + static_cast<std::ptrdiff_t>(end));
    for (const StreamResult& result : RunStreams(mesh, some)) {
      rate.num_tokens += static_cast<int64_t>(result.tokens.size());
    }
  }
  rate.seconds = absl::ToDoubleSeconds(absl::Now() - start);
  return rate;
}

// The better of two measurements: others share the machine.
void KeepBest(Rate rate, Rate& best) {
  if (best.seconds == 0 || rate.TokensPerSecond() > best.TokensPerSecond()) {
    best = rate;
  }
}

void CompareRates(ProcessMesh& processes, cli::EmbeddedMesh& embedded,
                  int num_repeats) {
  int num_moe_layers = 0;
  const model::DeepseekConfig& config = embedded.Checkpoint().Config();
  for (int layer = 0; layer < config.num_hidden_layers; ++layer) {
    num_moe_layers += config.IsMoeLayer(layer) ? 1 : 0;
  }
  for (const int num_concurrent : {1, 4, 16, 64}) {
    Rate apart;
    Rate together;
    for (int i = 0; i < num_repeats; ++i) {
      KeepBest(RunProcesses(processes, num_concurrent), apart);
      KeepBest(RunEmbedded(embedded, num_concurrent), together);
    }
    std::printf(
        "%3d streams  processes %7.0f tokens/s  one process %7.0f tokens/s  "
        "ratio %.2f\n",
        num_concurrent, apart.TokensPerSecond(), together.TokensPerSecond(),
        apart.TokensPerSecond() / together.TokensPerSecond());
    if (num_concurrent > 1) continue;
    // Alone, a stream's token is a step.
    const double step_us =
        1e6 * (1 / apart.TokensPerSecond() - 1 / together.TokensPerSecond());
    std::printf(
        "             a step takes %.0f us more: %.0f us for each of %d MoE "
        "layers\n",
        step_us, step_us / num_moe_layers, num_moe_layers);
  }
}

void PrintLinks(ProcessMesh& mesh) {
  const auto probes = mesh.ProbeLinks("attention-0");
  if (!probes.ok()) {
    std::fprintf(stderr, "mesh_bench: %s\n",
                 probes.status().ToString().c_str());
    return;
  }
  for (const attention::v1::LinkProbe& probe : probes->probes()) {
    std::printf(
        "link to %-10s %-8s round trip %5.0f us, p99 %5.0f us, %6.0f MB/s%s\n",
        probe.node_name().c_str(), probe.lane().c_str(),
        probe.round_trip_us_median(), probe.round_trip_us_p99(),
        probe.bytes_per_second() / 1e6, probe.error().c_str());
  }
}

int Run(int num_expert_nodes, int num_repeats) {
  const auto embedded = LoadTinyR1({.num_shards = num_expert_nodes});
  ProcessMesh processes(
      {.num_expert_nodes = num_expert_nodes, .num_threads = 0});
  const absl::Status started = processes.Start();
  if (!started.ok()) {
    std::fprintf(stderr, "mesh_bench: %s\n", started.ToString().c_str());
    return 1;
  }
  std::printf("%d expert nodes, one attention node, one gateway\n",
              num_expert_nodes);
  PrintLinks(processes);
  CompareRates(processes, *embedded, num_repeats);
  return 0;
}

}  // namespace
}  // namespace mesh

int main(int argc, char** argv) {
  const int num_expert_nodes = argc > 1 ? std::atoi(argv[1]) : 4;
  const int num_repeats = argc > 2 ? std::atoi(argv[2]) : 3;
  if (num_expert_nodes < 1 || num_expert_nodes > mesh::kMaxExpertNodes ||
      num_repeats < 1) {
    std::fprintf(stderr, "usage: mesh_bench [EXPERT_NODES] [REPEATS]\n");
    return 1;
  }
  return mesh::Run(num_expert_nodes, num_repeats);
}
