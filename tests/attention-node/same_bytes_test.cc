// SPDX-License-Identifier: Apache-2.0
// The tokens of a stream do not depend on what happens around it
// (docs/numerics.md).
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <random>

#include "tests/attention-node/engine_harness.h"

namespace mesh::attention {
namespace {

using Stream = EngineHarness::Stream;

// 64 streams that join a few at a time, so that prompts meet decodes.
std::vector<Stream> RunStaggered(EngineHarness* harness) {
  std::vector<Stream> streams;
  for (uint64_t request = 1; request <= 64; ++request) {
    const Transcript transcript =
        VariedTranscript(request, 1 + static_cast<int>(request * 13 % 50), 40);
    streams.push_back({transcript, harness->Submit(transcript)});
    if (request % 3 == 0) harness->Step();
  }
  harness->RunToEnd();
  return streams;
}

int NumWrong(const std::vector<Stream>& streams) {
  return static_cast<int>(
      std::count_if(streams.begin(), streams.end(), [](const Stream& stream) {
        return stream.sink->tokens != ExpectedTokens(stream.transcript);
      }));
}

void PrintCounters(const EngineCounters& counters) {
  std::cout << counters.steps << " steps, " << counters.mixed_steps
            << " mixed, " << counters.prefill_chunks << " chunks, "
            << counters.preemptions << " preemptions, "
            << counters.emitted_tokens << " tokens\n";
}

TEST(SameBytes, AloneEqualsTheTwinWithoutEngine) {
  for (uint64_t request = 1; request <= 42; ++request) {
    const Transcript transcript = VariedTranscript(request, 7, 30);
    EngineHarness harness(EngineHarness::Roomy());
    const auto sink = harness.Submit(transcript);
    harness.RunToEnd();
    EXPECT_EQ(sink->tokens, ExpectedTokens(transcript)) << request;
    EXPECT_EQ(sink->finish, FinishReason::kLength);
  }
}

TEST(SameBytes, BatchesOf64WithMixedPrefillAndDecode) {
  EngineHarness harness(EngineHarness::Roomy());
  EXPECT_EQ(NumWrong(RunStaggered(&harness)), 0);
  const EngineCounters counters = harness.engine->Counters();
  PrintCounters(counters);
  EXPECT_GT(counters.mixed_steps, 10);
  EXPECT_EQ(counters.preemptions, 0);
}

TEST(SameBytes, AnyChunkSize) {
  for (const int max_step_tokens : {1, 2, 7, 64}) {
    Engine::Options options = EngineHarness::Roomy();
    options.limits.max_step_tokens = max_step_tokens;
    options.limits.max_running_sequences = std::min(max_step_tokens, 8);
    EngineHarness harness(options);
    EXPECT_EQ(NumWrong(RunStaggered(&harness)), 0) << max_step_tokens;
    EXPECT_GT(harness.engine->Counters().prefill_chunks, 0);
  }
}

TEST(SameBytes, PreemptedAndResumed) {
  Engine::Options options = EngineHarness::Roomy();
  options.num_blocks = 40;
  options.limits.growth_reserve_tokens = 2;
  EngineHarness harness(options);
  EXPECT_EQ(NumWrong(RunStaggered(&harness)), 0);
  const EngineCounters counters = harness.engine->Counters();
  PrintCounters(counters);
  EXPECT_GT(counters.preemptions, 10);
  EXPECT_GT(counters.admissions, 64);
  EXPECT_EQ(counters.finished, 64);
}

TEST(SameBytes, SampledOnThreeThreads) {
  ThreadPool pool(3);
  EngineHarness harness(EngineHarness::Roomy(), TestModel(), &pool);
  EXPECT_EQ(NumWrong(RunStaggered(&harness)), 0);
}

TEST(SameBytes, StoppedAfterEveryTokenAndResumedFromTheTranscript) {
  for (uint64_t request = 1; request <= 12; ++request) {
    Transcript transcript = VariedTranscript(request, 6, 25);
    transcript.sampling.num_logprobs = 2;
    transcript.sampling.prompt_logprobs = true;
    const std::vector<TokenId> expected = ExpectedTokens(transcript);
    for (size_t kept = 0; kept <= expected.size(); ++kept) {
      const auto cut = expected.begin() + static_cast<ptrdiff_t>(kept);
      transcript.emitted.assign(expected.begin(), cut);
      EngineHarness harness(EngineHarness::Roomy());
      const auto sink = harness.Submit(transcript);
      harness.RunToEnd();
      EXPECT_EQ(sink->tokens, std::vector<TokenId>(cut, expected.end()));
      EXPECT_EQ(sink->finish, FinishReason::kLength);
      EXPECT_EQ(sink->prompt_logprobs.size(), kept == 0 ? 5U : 0U);
    }
  }
}

TEST(SameBytes, ResumedAfterItsStopTokenEndsAtOnce) {
  Transcript transcript = TestTranscript(1, 6, 25);
  transcript.sampling.stop_token_ids = {9};
  transcript.emitted = {3, 9};
  EngineHarness harness(EngineHarness::Roomy());
  const auto sink = harness.Submit(transcript);
  EXPECT_FALSE(harness.Step());
  EXPECT_EQ(sink->finish, FinishReason::kStop);
  EXPECT_TRUE(sink->tokens.empty());
  EXPECT_EQ(harness.engine->Counters().steps, 0);
}

// As RunStaggered, but every prompt begins like one of four others and some are
// equal, so streams share blocks, wait for each other and find old prefixes.
std::vector<Stream> RunAlike(EngineHarness* harness) {
  std::vector<Stream> streams;
  for (uint64_t request = 1; request <= 96; ++request) {
    Transcript transcript = VariedTranscript(request, 1, 30);
    const Transcript common = TestTranscript(request % 4, 40, 1);
    const auto num_common = static_cast<ptrdiff_t>(request * 7 % 41);
    transcript.prompt.insert(transcript.prompt.begin(), common.prompt.begin(),
                             common.prompt.begin() + num_common);
    if (request % 5 == 0) transcript.prompt = streams.back().transcript.prompt;
    streams.push_back({transcript, harness->Submit(transcript)});
    if (request % 3 == 0) harness->Step();
  }
  harness->RunToEnd();
  return streams;
}

TEST(SameBytes, PromptsThatBeginAlike) {
  EngineHarness harness(EngineHarness::Roomy());
  EXPECT_EQ(NumWrong(RunAlike(&harness)), 0);
  EXPECT_GT(harness.engine->Counters().cached_prompt_tokens, 1000);
}

TEST(SameBytes, PromptsThatBeginAlikeInScarceMemory) {
  for (const int num_blocks : {24, 30, 50}) {
    Engine::Options options = EngineHarness::Roomy();
    options.num_blocks = num_blocks;
    options.limits.growth_reserve_tokens = 2;
    options.limits.max_step_tokens = 24;
    options.limits.max_running_sequences = 24;
    EngineHarness harness(options);
    EXPECT_EQ(NumWrong(RunAlike(&harness)), 0) << num_blocks;
    const EngineCounters counters = harness.engine->Counters();
    PrintCounters(counters);
    EXPECT_GT(counters.preemptions, 10);
    EXPECT_GT(counters.cached_prompt_tokens, 300);
  }
}

// The control: a model whose rows see the batch must be found out.
TEST(SameBytes, ModelThatDependsOnTheBatchIsNoticed) {
  EngineHarness harness(EngineHarness::Roomy());
  harness.forward.depends_on_batch = true;
  EXPECT_GT(NumWrong(RunStaggered(&harness)), 50);
}

Engine::Options RandomOptions(std::mt19937* random) {
  const auto below = [&](int n) {
    return static_cast<int>((*random)() % static_cast<unsigned>(n));
  };
  Engine::Options options;
  options.block_size = 1 + below(5);
  options.num_blocks = (56 + below(50)) / options.block_size + 1;
  options.limits.max_running_sequences = 1 + below(8);
  options.limits.max_step_tokens =
      options.limits.max_running_sequences + below(30);
  options.limits.max_step_logits =
      options.limits.max_running_sequences + 1 + below(6);
  options.limits.growth_reserve_tokens = below(6);
  options.limits.aging_steps = below(30);
  return options;
}

// Random arrivals, cancellations and deadlines on a random small engine: every
// stream is a prefix of what it would be alone, and ends once.
void RunRandomSchedule(unsigned seed, EngineCounters* sum) {
  std::mt19937 random(seed);
  EngineHarness harness(RandomOptions(&random));
  std::vector<Stream> streams;
  for (uint64_t request = 1; request <= 12; ++request) {
    Transcript transcript = VariedTranscript(
        request + uint64_t{seed} * 16, 1 + static_cast<int>(random() % 30),
        1 + static_cast<int>(random() % 25));
    // Half of them begin as another one did.
    if (random() % 2 == 0 && !streams.empty()) {
      const auto& other = streams[random() % streams.size()].transcript.prompt;
      const size_t num_common =
          std::min({transcript.prompt.size(), other.size(), random() % 31});
      std::copy_n(other.begin(), num_common, transcript.prompt.begin());
    }
    if (random() % 4 == 0) {
      transcript.sampling.num_logprobs = static_cast<int>(random() % 3);
      transcript.sampling.prompt_logprobs = true;
    }
    const auto deadline =
        random() % 8 == 0
            ? harness.clock.Now() + absl::Seconds(1 + random() % 60)
            : absl::InfiniteFuture();
    streams.push_back(
        {transcript,
         harness.Submit(transcript, deadline, static_cast<int>(random() % 3))});
    for (auto steps = random() % 6; steps > 0; --steps) {
      harness.clock.Advance(absl::Seconds(1));
      harness.Step();
    }
    if (random() % 5 == 0) {
      const Transcript& any = streams[random() % streams.size()].transcript;
      harness.engine->Cancel(any.request, any.choice);
    }
  }
  harness.RunToEnd(5000);
  for (const Stream& stream : streams) {
    const std::vector<TokenId> expected = ExpectedTokens(stream.transcript);
    const std::vector<TokenId>& tokens = stream.sink->tokens;
    ASSERT_LE(tokens.size(), expected.size());
    ASSERT_TRUE(std::equal(tokens.begin(), tokens.end(), expected.begin()))
        << "seed " << seed;
    ASSERT_TRUE(stream.sink->finish.has_value()) << "seed " << seed;
    if (*stream.sink->finish == FinishReason::kLength) {
      ASSERT_EQ(tokens, expected);
    } else {
      ASSERT_TRUE(*stream.sink->finish == FinishReason::kCancelled ||
                  *stream.sink->finish == FinishReason::kDeadline);
    }
  }
  const EngineCounters counters = harness.engine->Counters();
  sum->steps += counters.steps;
  sum->mixed_steps += counters.mixed_steps;
  sum->prefill_chunks += counters.prefill_chunks;
  sum->preemptions += counters.preemptions;
  sum->emitted_tokens += counters.emitted_tokens;
  sum->cached_prompt_tokens += counters.cached_prompt_tokens;
}

TEST(SameBytes, ThousandRandomSchedules) {
  EngineCounters sum;
  for (unsigned seed = 0; seed < 1000; ++seed) {
    ASSERT_NO_FATAL_FAILURE(RunRandomSchedule(seed, &sum));
  }
  PrintCounters(sum);
  EXPECT_GT(sum.mixed_steps, 1000);
  EXPECT_GT(sum.preemptions, 1000);
  EXPECT_GT(sum.prefill_chunks, 1000);
  EXPECT_GT(sum.cached_prompt_tokens, 1000);
}

}  // namespace
}  // namespace mesh::attention
