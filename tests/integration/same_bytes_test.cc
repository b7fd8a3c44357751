// SPDX-License-Identifier: Apache-2.0
// The same requests give the same bits whatever happens around them: tokens
// and log-probabilities are compared bit for bit with each stream run alone on
// one shard and one thread.
#include <gtest/gtest.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "core/check.h"
#include "model/checkpoint.h"
#include "tests/integration/reference_streams.h"
#include "tests/integration/sloppy_dispatch.h"
#include "tests/integration/streams.h"

namespace mesh {
namespace {

using MeshOptions = cli::EmbeddedMesh::Options;

// Runs all streams together and compares.
attention::EngineCounters ExpectSameBytes(const MeshOptions& options,
                                          const std::string& what) {
  const auto mesh = LoadTinyR1(options);
  const std::vector<StreamResult> results = RunStreams(*mesh, Streams(*mesh));
  for (size_t i = 0; i < kNumStreams; ++i) {
    EXPECT_EQ(results[i], Alone()[i]) << what << ", stream " << i;
  }
  const attention::EngineCounters counters = mesh->Engine().Counters();
  EXPECT_EQ(counters.free_blocks, counters.total_blocks) << what;
  std::printf("ran: %zu streams, %s, %s kernels: %ld steps, %ld mixed\n",
              kNumStreams, what.c_str(),
              std::string(mesh->Kernels().Name()).c_str(),
              static_cast<long>(counters.steps),
              static_cast<long>(counters.mixed_steps));
  return counters;
}

TEST(SameBytes, StreamsDiffer) {
  // Else the comparisons below would prove little.
  int num_different = 0;
  for (size_t i = 1; i < kNumStreams; ++i) {
    num_different += Alone()[i].tokens != Alone()[i - 1].tokens ? 1 : 0;
    EXPECT_FALSE(Alone()[i].tokens.empty());
  }
  EXPECT_GE(num_different, 60);
}

TEST(SameBytes, OneToEightShards) {
  for (const int num_shards : {1, 2, 4, 8}) {
    ExpectSameBytes({.num_shards = num_shards},
                    std::to_string(num_shards) + " shards");
  }
}

TEST(SameBytes, ShardsThatSplitGroupsAndReplicas) {
  // More shards than groups: nodes return rows, not partial sums.
  ExpectSameBytes({.num_shards = 16}, "16 shards");
  ExpectSameBytes({.num_shards = 4, .num_replicas = 3}, "4 shards, 3 replicas");
}

TEST(SameBytes, AnyNumberOfThreads) {
  for (const int num_threads : {1, 2, 5}) {
    ExpectSameBytes({.num_threads = num_threads, .num_shards = 2},
                    std::to_string(num_threads) + " threads");
  }
}

TEST(SameBytes, AnyInstructionSet) {
  for (const std::string& kernels : Bf16KernelNames()) {
    ExpectSameBytes({.kernels = kernels, .num_shards = 2}, "2 shards");
  }
}

TEST(SameBytes, MixedPrefillAndDecode) {
  // Few rows a step, so that prompts trickle in beside running streams.
  const attention::EngineCounters counters = ExpectSameBytes(
      {.limits = {.max_step_tokens = 80}}, "batches of up to 64");
  EXPECT_GT(counters.mixed_steps, 5);
}

TEST(SameBytes, ChunkedPrefill) {
  const attention::EngineCounters counters = ExpectSameBytes(
      {.limits = {.max_step_tokens = 9, .max_running_sequences = 8}},
      "chunked prefill");
  EXPECT_GT(counters.prefill_chunks, 100);
}

TEST(SameBytes, PreemptedAndResumed) {
  // Latent KV for a few streams only.
  const attention::EngineCounters counters =
      ExpectSameBytes({.block_size = 4,
                       .kv_bytes = size_t{800} * 800,
                       .limits = {.growth_reserve_tokens = 4}},
                      "scarce memory");
  EXPECT_GT(counters.preemptions, 10);
}

TEST(SameBytes, SmallBlocks) {
  ExpectSameBytes({.block_size = 5}, "blocks of 5 tokens");
}

TEST(SameBytes, PromptsThatAreFoundInThePrefixCache) {
  const auto mesh = LoadTinyR1({.num_shards = 2, .block_size = 4});
  std::vector<attention::Transcript> streams = Streams(*mesh);
  for (int round = 0; round < 2; ++round) {
    const std::vector<StreamResult> results = RunStreams(*mesh, streams);
    for (size_t i = 0; i < kNumStreams; ++i) {
      EXPECT_EQ(results[i], Alone()[i]) << "round " << round << ", " << i;
    }
    for (attention::Transcript& stream : streams) stream.request.value += 1000;
  }
  const attention::EngineCounters counters = mesh->Engine().Counters();
  EXPECT_GT(3 * counters.cached_prompt_tokens, counters.prompt_tokens);
  std::printf("ran: %zu streams twice, %ld of %ld prompt tokens found\n",
              kNumStreams, static_cast<long>(counters.cached_prompt_tokens),
              static_cast<long>(counters.prompt_tokens));
}

TEST(SameBytes, StoppedAfterAnyTokenAndResumedElsewhere) {
  const auto mesh = LoadTinyR1({.num_shards = 4});
  std::vector<attention::Transcript> resumed;
  std::vector<size_t> origins;
  const std::vector<attention::Transcript> streams = Streams(*mesh);
  for (const size_t i : {size_t{0}, size_t{13}, size_t{35}, size_t{58}}) {
    const StreamResult& whole = Alone()[i];
    for (size_t cut = 1; cut < whole.tokens.size(); ++cut) {
      attention::Transcript transcript = streams[i];
      transcript.request = RequestId{1000 * i + cut};
      transcript.emitted.assign(
          whole.tokens.begin(),
          whole.tokens.begin() + static_cast<std::ptrdiff_t>(cut));
      resumed.push_back(std::move(transcript));
      origins.push_back(i);
    }
  }
  const std::vector<StreamResult> results = RunStreams(*mesh, resumed);
  for (size_t r = 0; r < resumed.size(); ++r) {
    const StreamResult& whole = Alone()[origins[r]];
    const auto cut = static_cast<std::ptrdiff_t>(resumed[r].emitted.size());
    EXPECT_EQ(
        results[r].tokens,
        std::vector<TokenId>(whole.tokens.begin() + cut, whole.tokens.end()));
    EXPECT_EQ(
        results[r].logprobs,
        std::vector<float>(whole.logprobs.begin() + cut, whole.logprobs.end()));
    EXPECT_EQ(results[r].reason, whole.reason);
  }
  std::printf("ran: %zu resumed streams\n", resumed.size());
}

// Streams whose bits, batched, differ from the same streams alone.
int NumDifferent(SloppyDispatch::Sum sum) {
  constexpr size_t kNumCompared = 12;
  const auto checkpoint =
      model::Checkpoint::Open(MESH_SOURCE_DIR "/models/tiny-r1");
  MESH_CHECK(checkpoint.ok());
  SloppyDispatch dispatch(**checkpoint, sum);
  const auto mesh = LoadTinyR1({.dispatch = &dispatch});
  std::vector<attention::Transcript> streams = Streams(*mesh);
  streams.resize(kNumCompared);
  const std::vector<StreamResult> together = RunStreams(*mesh, streams);
  int num_different = 0;
  for (size_t i = 0; i < kNumCompared; ++i) {
    const StreamResult alone = RunStreams(*mesh, {streams[i]})[0];
    num_different += together[i] == alone ? 0 : 1;
  }
  std::printf("ran: negative control, %d of %zu streams differ\n",
              num_different, kNumCompared);
  return num_different;
}

// The comparison above must be able to fail.
TEST(SameBytesNegativeControl, FixedOrderPasses) {
  EXPECT_EQ(NumDifferent(SloppyDispatch::Sum::kFixed), 0);
}

TEST(SameBytesNegativeControl, CombiningInArrivalOrderIsNoticed) {
  EXPECT_GT(NumDifferent(SloppyDispatch::Sum::kArrivalOrder), 0);
}

TEST(SameBytesNegativeControl, SplittingKByBatchIsNoticed) {
  EXPECT_GT(NumDifferent(SloppyDispatch::Sum::kSplitByBatch), 0);
}

}  // namespace
}  // namespace mesh
