// SPDX-License-Identifier: Apache-2.0
// What the engine computes, and what it finds (docs/prefix_cache.md).
#include <gtest/gtest.h>

#include <cmath>

#include "tests/attention-node/engine_harness.h"

namespace mesh::attention {
namespace {

// Blocks of four tokens.
Engine::Options Options(bool prefix_cache = true) {
  Engine::Options options = EngineHarness::Roomy();
  options.prefix_cache = prefix_cache;
  return options;
}

Transcript Choice(uint32_t choice, int num_prompt, int max_tokens = 5) {
  Transcript transcript = TestTranscript(1, num_prompt, max_tokens);
  transcript.choice = choice;
  return transcript;
}

TEST(EnginePrefix, ChoicesOfOneRequestComputeItsPromptOnce) {
  EngineHarness harness(Options());
  std::vector<std::shared_ptr<RecordingSink>> sinks;
  for (uint32_t choice = 0; choice < 4; ++choice) {
    sinks.push_back(harness.Submit(Choice(choice, 18)));
  }
  harness.RunToEnd();
  // 18 rows of the first; four full blocks are shared by the others.
  EXPECT_EQ(harness.engine->Counters().prefill_rows, 18 + 3 * 2);
  for (uint32_t choice = 0; choice < 4; ++choice) {
    EXPECT_EQ(sinks[choice]->tokens, ExpectedTokens(Choice(choice, 18)));
    EXPECT_EQ(sinks[choice]->cached_tokens, choice == 0 ? 0 : 16);
  }
  EXPECT_EQ(harness.engine->Counters().prompt_tokens, 4 * 18);
  EXPECT_EQ(harness.engine->Counters().cached_prompt_tokens, 3 * 16);
}

TEST(EnginePrefix, ChoicesWaitForAPromptThatTakesManySteps) {
  Engine::Options options = Options();
  options.limits.max_step_tokens = 4;
  options.limits.max_running_sequences = 4;
  EngineHarness harness(options);
  const auto first = harness.Submit(Choice(0, 40));
  const auto second = harness.Submit(Choice(1, 40));
  const auto other = harness.Submit(TestTranscript(2, 3, 40));
  for (int i = 0; i < 9; ++i) harness.Step();
  EXPECT_FALSE(second->cached_tokens.has_value());
  harness.RunToEnd();
  EXPECT_EQ(second->cached_tokens, 36);
  EXPECT_EQ(harness.engine->Counters().prefill_rows, 40 + 4 + 3);
  EXPECT_EQ(first->tokens, ExpectedTokens(Choice(0, 40)));
  EXPECT_EQ(second->tokens, ExpectedTokens(Choice(1, 40)));
  EXPECT_EQ(other->tokens, ExpectedTokens(TestTranscript(2, 3, 40)));
}

TEST(EnginePrefix, SecondGoesOnWhereTheFirstWasCancelled) {
  Engine::Options options = Options();
  options.limits.max_step_tokens = 8;
  options.limits.max_running_sequences = 8;
  EngineHarness harness(options);
  const auto first = harness.Submit(Choice(0, 40));
  const auto second = harness.Submit(Choice(1, 40));
  harness.Step();
  harness.Step();
  harness.engine->Cancel(RequestId{1}, 0);
  harness.RunToEnd();
  EXPECT_EQ(first->finish, FinishReason::kCancelled);
  EXPECT_EQ(second->cached_tokens, 16);
  EXPECT_EQ(second->tokens, ExpectedTokens(Choice(1, 40)));
}

TEST(EnginePrefix, NextTurnComputesOnlyWhatIsNew) {
  EngineHarness harness(Options());
  Transcript turn = TestTranscript(1, 10, 7);
  const auto first = harness.Submit(turn);
  harness.RunToEnd();
  // The last token has no row; four blocks of the other 16 are full.
  turn.prompt.insert(turn.prompt.end(), first->tokens.begin(),
                     first->tokens.end());
  turn.prompt.insert(turn.prompt.end(), {5, 6, 7});
  turn.request = RequestId{2};
  const auto second = harness.Submit(turn);
  harness.RunToEnd();
  EXPECT_EQ(second->cached_tokens, 16);
  EXPECT_EQ(harness.engine->Counters().prefill_rows, 10 + 4);
  EXPECT_EQ(second->tokens, ExpectedTokens(turn));
}

TEST(EnginePrefix, LastTokenOfAPromptIsAlwaysComputed) {
  EngineHarness harness(Options());
  for (uint32_t choice = 0; choice < 2; ++choice) {
    const auto sink = harness.Submit(Choice(choice, 16));
    harness.RunToEnd();
    EXPECT_EQ(sink->cached_tokens, choice == 0 ? 0 : 12);
    EXPECT_EQ(sink->tokens, ExpectedTokens(Choice(choice, 16)));
  }
}

TEST(EnginePrefix, AnotherSaltSharesNothing) {
  EngineHarness harness(Options());
  Transcript transcript = Choice(0, 18);
  for (const char* salt : {"", "a", "b"}) {
    transcript.cache_salt = salt;
    const auto sink = harness.Submit(transcript);
    harness.RunToEnd();
    EXPECT_EQ(sink->cached_tokens, 0) << salt;
  }
  transcript.cache_salt = "a";
  const auto again = harness.Submit(transcript);
  harness.RunToEnd();
  EXPECT_EQ(again->cached_tokens, 16);
}

// The gate's bias decides which experts a row saw.
TEST(EnginePrefix, AnotherRoutingTableSharesNothing) {
  const auto with_version = [](uint32_t version) {
    return Sequence({.transcript = Choice(0, 18),
                     .deadline = absl::InfiniteFuture(),
                     .priority = 0,
                     .sink = nullptr},
                    std::make_shared<RoutingTable>(RoutingTable{version, {}}),
                    {0, 0})
        .PrefixScope();
  };
  EXPECT_EQ(with_version(1), with_version(1));
  EXPECT_NE(with_version(1), with_version(2));
}

TEST(EnginePrefix, PromptLogprobsAreComputedWhateverIsKnown) {
  EngineHarness harness(Options());
  harness.Submit(Choice(0, 18));
  harness.RunToEnd();
  Transcript transcript = Choice(1, 18);
  transcript.sampling.num_logprobs = 0;
  transcript.sampling.prompt_logprobs = true;
  const auto sink = harness.Submit(transcript);
  harness.RunToEnd();
  EXPECT_EQ(sink->cached_tokens, 0);
  EXPECT_EQ(sink->prompt_logprobs.size(), 17U);
  EXPECT_EQ(sink->tokens, ExpectedTokens(transcript));
}

TEST(EnginePrefix, PreemptedStreamFindsWhatItComputed) {
  Engine::Options options = Options();
  options.num_blocks = 12;
  options.limits.growth_reserve_tokens = 0;
  EngineHarness harness(options);
  const auto first = harness.Submit(TestTranscript(1, 16, 30));
  const auto second = harness.Submit(TestTranscript(2, 16, 15));
  harness.RunToEnd();
  const EngineCounters counters = harness.engine->Counters();
  EXPECT_GT(counters.preemptions, 0);
  EXPECT_EQ(first->tokens, ExpectedTokens(TestTranscript(1, 16, 30)));
  EXPECT_EQ(second->tokens, ExpectedTokens(TestTranscript(2, 16, 15)));
  // Counted at its beginning only.
  EXPECT_EQ(counters.prompt_tokens, 32);
  EXPECT_EQ(counters.cached_prompt_tokens, 0);
}

TEST(EnginePrefix, FullCacheGivesWayToStreams) {
  Engine::Options options = Options();
  options.num_blocks = 8;
  EngineHarness harness(options);
  for (uint64_t request = 1; request <= 20; ++request) {
    const Transcript transcript = TestTranscript(request, 20, 8);
    const auto sink = harness.Submit(transcript);
    harness.RunToEnd();
    EXPECT_EQ(sink->tokens, ExpectedTokens(transcript));
  }
  EXPECT_GT(harness.engine->Counters().kept_blocks, 0);
}

TEST(EnginePrefix, FailedStepLeavesNothingToFind) {
  EngineHarness harness(Options());
  harness.forward.next_error = absl::UnavailableError("an expert is gone");
  harness.Submit(Choice(0, 18));
  harness.Step();
  const auto sink = harness.Submit(Choice(1, 18));
  harness.RunToEnd();
  EXPECT_EQ(sink->cached_tokens, 0);
  EXPECT_EQ(sink->tokens, ExpectedTokens(Choice(1, 18)));
}

TEST(EnginePrefix, NonsenseIsForgotten) {
  EngineHarness harness(Options());
  harness.forward.poison = std::nanf("");
  harness.Submit(Choice(0, 18, 20));
  for (int i = 0; i < 5; ++i) harness.Step();
  EXPECT_GT(harness.engine->Counters().owned_blocks, 0);
  harness.forward.poisoned = RequestId{1};
  harness.Step();
  EXPECT_EQ(harness.engine->Counters().kept_blocks, 0);
  harness.forward.poisoned.reset();
  const auto sink = harness.Submit(Choice(1, 18));
  harness.RunToEnd();
  EXPECT_EQ(sink->cached_tokens, 0);
}

TEST(EnginePrefix, SwitchedOffEveryStreamComputesItsPrompt) {
  EngineHarness harness(Options(/*prefix_cache=*/false));
  std::vector<std::shared_ptr<RecordingSink>> sinks;
  for (uint32_t choice = 0; choice < 4; ++choice) {
    sinks.push_back(harness.Submit(Choice(choice, 18)));
  }
  harness.RunToEnd();
  EXPECT_EQ(harness.engine->Counters().prefill_rows, 4 * 18);
  EXPECT_EQ(harness.engine->Counters().kept_blocks, 0);
  for (const auto& sink : sinks) EXPECT_EQ(sink->cached_tokens, 0);
}

}  // namespace
}  // namespace mesh::attention
