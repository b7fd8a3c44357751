// SPDX-License-Identifier: Apache-2.0
#include "attention-node/engine_thread.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/attention-node/engine_harness.h"
#include "tests/support/status_matchers.h"

namespace mesh::attention {
namespace {

// Collects on the engine thread; others look only after Wait.
class WaitingSink final : public TokenSink {
 public:
  void OnPromptLogprobs(std::span<const PromptLogprob>) override {}
  void OnToken(const EmittedToken& token) override {
    tokens.push_back(token.token);
  }
  void OnFinished(FinishReason why, const absl::Status& with) override {
    reason = why;
    status = with;
    num_finishes.fetch_add(1);
    num_finishes.notify_all();
  }
  void Wait() { num_finishes.wait(0); }

  std::vector<TokenId> tokens;
  FinishReason reason = FinishReason::kFailed;
  absl::Status status;
  std::atomic<int> num_finishes = 0;
};

TEST(EngineThread, ServesAndSleepsAndServes) {
  EngineHarness harness(EngineHarness::Roomy());
  EngineThread thread(*harness.engine);
  thread.Start();
  for (uint64_t request = 1; request <= 3; ++request) {
    const Transcript transcript = VariedTranscript(request, 4, 12);
    const auto sink = std::make_shared<WaitingSink>();
    ASSERT_OK(harness.engine->Submit(transcript, absl::InfiniteFuture(), sink));
    sink->Wait();
    EXPECT_EQ(sink->tokens, ExpectedTokens(transcript));
    EXPECT_EQ(sink->reason, FinishReason::kLength);
  }
}

TEST(EngineThread, CallsItsHooksAroundSteps) {
  EngineHarness harness(EngineHarness::Roomy());
  int num_before = 0;
  std::vector<bool> mores;
  EngineThread thread(
      *harness.engine,
      {.before_step = [&] { ++num_before; },
       .after_step = [&](bool more) { mores.push_back(more); }});
  const auto sink = std::make_shared<WaitingSink>();
  ASSERT_OK(harness.engine->Submit(TestTranscript(1, 4, 5),
                                   absl::InfiniteFuture(), sink));
  thread.Start();
  sink->Wait();
  thread.Stop();
  EXPECT_EQ(sink->tokens, ExpectedTokens(TestTranscript(1, 4, 5)));
  // Five steps, and once after the end.
  EXPECT_EQ(num_before, 5);
  EXPECT_EQ(mores, (std::vector<bool>{true, true, true, true, false, false}));
}

TEST(EngineThread, SleepsElsewhereUntilTheWakerIsCalled) {
  EngineHarness harness(EngineHarness::Roomy());
  std::atomic<int> num_wakes = 0;
  std::atomic<int> num_idles = 0;
  harness.engine->SetWaker([&] {
    ++num_wakes;
    num_wakes.notify_all();
  });
  int num_seen = 0;
  EngineThread thread(*harness.engine, {.idle = [&] {
    ++num_idles;
    num_idles.notify_all();
    num_wakes.wait(num_seen);
    num_seen = num_wakes.load();
  }});
  thread.Start();
  num_idles.wait(0);
  const auto sink = std::make_shared<WaitingSink>();
  ASSERT_OK(harness.engine->Submit(TestTranscript(1, 4, 5),
                                   absl::InfiniteFuture(), sink));
  sink->Wait();
  EXPECT_EQ(sink->tokens, ExpectedTokens(TestTranscript(1, 4, 5)));
  thread.Stop();
  EXPECT_EQ(num_wakes.load(), 2);  // the stream and the end
}

TEST(EngineThread, StopFailsWhatStillRunsAndRefusesMore) {
  EngineHarness harness(EngineHarness::Roomy());
  EngineThread thread(*harness.engine);
  const auto sink = std::make_shared<WaitingSink>();
  thread.Stop();  // not started: nothing to do
  ASSERT_OK(harness.engine->Submit(TestTranscript(1, 4, 900),
                                   absl::InfiniteFuture(), sink));
  thread.Start();
  thread.Stop();
  thread.Stop();
  EXPECT_EQ(sink->num_finishes.load(), 1);
  if (sink->reason != FinishReason::kLength) {
    EXPECT_EQ(sink->reason, FinishReason::kFailed);
    EXPECT_THAT(sink->status, StatusIs(absl::StatusCode::kUnavailable));
  }
  EXPECT_THAT(harness.engine->Submit(TestTranscript(2, 4, 4),
                                     absl::InfiniteFuture(), sink),
              StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_EQ(harness.engine->Counters().free_blocks,
            harness.engine->Counters().total_blocks);
}

TEST(EngineThread, ManyThreadsSubmitAndCancel) {
  constexpr uint64_t kNumThreads = 4;
  constexpr uint64_t kPerThread = 60;
  Engine::Options options = EngineHarness::Roomy();
  options.num_blocks = 64;
  options.limits.max_running_sequences = 8;
  EngineHarness harness(options);
  EngineThread engine_thread(*harness.engine);
  engine_thread.Start();
  std::vector<std::vector<std::shared_ptr<WaitingSink>>> sinks(kNumThreads);
  std::vector<std::thread> threads;
  const auto request_of = [](uint64_t thread, uint64_t i) {
    return 1 + thread * kPerThread + i;
  };
  for (uint64_t t = 0; t < kNumThreads; ++t) {
    threads.emplace_back([&, t] {
      for (uint64_t i = 0; i < kPerThread; ++i) {
        const auto sink = std::make_shared<WaitingSink>();
        const Transcript transcript = VariedTranscript(request_of(t, i), 5, 20);
        EXPECT_OK(
            harness.engine->Submit(transcript, absl::InfiniteFuture(), sink));
        sinks[t].push_back(sink);
        if (i % 3 == 0) {
          harness.engine->Cancel(transcript.request, transcript.choice);
        }
        EXPECT_GE(harness.engine->Counters().submitted, 1);
      }
      for (const auto& sink : sinks[t]) sink->Wait();
    });
  }
  for (std::thread& thread : threads) thread.join();
  engine_thread.Stop();
  for (uint64_t t = 0; t < kNumThreads; ++t) {
    for (uint64_t i = 0; i < kPerThread; ++i) {
      const WaitingSink& sink = *sinks[t][i];
      EXPECT_EQ(sink.num_finishes.load(), 1);
      if (sink.reason == FinishReason::kCancelled) {
        EXPECT_EQ(i % 3, 0U);
        continue;
      }
      EXPECT_EQ(sink.tokens,
                ExpectedTokens(VariedTranscript(request_of(t, i), 5, 20)));
    }
  }
  const EngineCounters counters = harness.engine->Counters();
  EXPECT_EQ(counters.finished, static_cast<int64_t>(kNumThreads * kPerThread));
  EXPECT_EQ(counters.free_blocks, counters.total_blocks);
}

}  // namespace
}  // namespace mesh::attention
