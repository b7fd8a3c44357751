// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <random>
#include <vector>

#include "attention-node/engine.h"
#include "core/clock.h"
#include "tests/attention-node/hash_model.h"

namespace mesh::attention {

// Keeps what a stream gets, and fails the test if it breaks its order.
class RecordingSink final : public TokenSink {
 public:
  explicit RecordingSink(int first_index = 0) : next_index_(first_index) {}

  void OnAdmitted(int num_cached_tokens) override {
    EXPECT_FALSE(cached_tokens.has_value()) << "admitted twice";
    EXPECT_TRUE(tokens.empty() && prompt_logprobs.empty());
    cached_tokens = num_cached_tokens;
  }
  void OnPromptLogprobs(std::span<const PromptLogprob> entries) override {
    EXPECT_FALSE(finish.has_value());
    EXPECT_TRUE(tokens.empty());
    for (const PromptLogprob& entry : entries) {
      EXPECT_EQ(entry.position, static_cast<int>(prompt_logprobs.size()) + 1);
      prompt_logprobs.push_back(entry);
    }
  }
  void OnToken(const EmittedToken& token) override {
    EXPECT_FALSE(finish.has_value());
    EXPECT_EQ(token.index, next_index_++);
    tokens.push_back(token.token);
    emitted.push_back(token);
  }
  void OnFinished(FinishReason reason, const absl::Status& why) override {
    EXPECT_FALSE(finish.has_value()) << "finished twice";
    finish = reason;
    status = why;
  }

  std::optional<int> cached_tokens;  // once admitted
  std::vector<TokenId> tokens;
  std::vector<EmittedToken> emitted;
  std::vector<PromptLogprob> prompt_logprobs;
  std::optional<FinishReason> finish;
  absl::Status status;

 private:
  int next_index_;
};

inline EngineModel TestModel() {
  return {.vocab_size = HashModel::kVocabSize,
          .max_positions = 1000,
          .eos_token_ids = {},
          .numerics = "hash-1",
          .digest = {.high = 1, .low = 2},
          .routing = std::make_shared<RoutingTable>()};
}

inline Transcript TestTranscript(uint64_t request, int num_prompt,
                                 int max_tokens) {
  Transcript transcript{.request = RequestId{request},
                        .numerics = "hash-1",
                        .model = {.high = 1, .low = 2}};
  for (int i = 0; i < num_prompt; ++i) {
    transcript.prompt.push_back(static_cast<TokenId>(
        MixHash(request, static_cast<uint64_t>(i)) % HashModel::kVocabSize));
  }
  transcript.sampling.max_tokens = max_tokens;
  transcript.sampling.seed = request * 7919;
  return transcript;
}

// As above, with every kind of sampling, by `request`.
inline Transcript VariedTranscript(uint64_t request, int num_prompt,
                                   int max_tokens) {
  Transcript transcript = TestTranscript(request, num_prompt, max_tokens);
  SamplingParams& params = transcript.sampling;
  transcript.choice = static_cast<uint32_t>(request % 3);
  if (request % 4 == 0) params.temperature = 0;
  if (request % 4 == 1) params.temperature = 0.7F;
  if (request % 3 == 1) params.top_k = 5;
  if (request % 5 == 2) params.top_p = 0.8F;
  if (request % 5 == 3) params.min_p = 0.1F;
  if (request % 7 == 1) params.repetition_penalty = 1.3F;
  if (request % 7 == 2) params.frequency_penalty = 0.5F;
  if (request % 7 == 3) params.presence_penalty = -0.5F;
  if (request % 6 == 5) params.logit_bias = {{3, 1.5F}, {4, -100.0F}};
  return transcript;
}

// An engine on the hash model, with virtual time, stepped by the test.
class EngineHarness {
 public:
  struct Stream {
    Transcript transcript;
    std::shared_ptr<RecordingSink> sink;
  };

  explicit EngineHarness(const Engine::Options& options,
                         EngineModel model = TestModel(),
                         ThreadPool* pool = nullptr)
      : forward(options.num_blocks, options.block_size) {
    auto created =
        Engine::Create(options, std::move(model), forward, clock, pool);
    EXPECT_TRUE(created.ok()) << created.status();
    engine = *std::move(created);
  }

  static Engine::Options Roomy() {
    return {.limits = {}, .inbox = {}, .num_blocks = 4096, .block_size = 4};
  }

  // Submits, and expects it to be accepted.
  std::shared_ptr<RecordingSink> Submit(
      const Transcript& transcript,
      absl::Time deadline = absl::InfiniteFuture(), int priority = 0) {
    auto sink = std::make_shared<RecordingSink>(
        static_cast<int>(transcript.emitted.size()));
    const absl::Status status =
        engine->Submit(transcript, deadline, sink, priority);
    EXPECT_TRUE(status.ok()) << status;
    return sink;
  }

  // One step; checks what must hold after each.
  bool Step() {
    const bool more = engine->Step();
    const EngineCounters counters = engine->Counters();
    EXPECT_EQ(counters.free_blocks + counters.owned_blocks,
              counters.total_blocks);
    // The rest is on its way, submitted during the step.
    EXPECT_GE(counters.submitted - counters.finished,
              counters.running + counters.waiting);
    return more;
  }

  // Steps until nothing is left; more than `max_steps` is a deadlock.
  void RunToEnd(int max_steps = 100000) {
    int steps = 0;
    while (Step()) ASSERT_LT(++steps, max_steps);
    EXPECT_EQ(engine->Counters().free_blocks, engine->Counters().total_blocks);
  }

  FakeClock clock;
  HashModel forward;
  std::unique_ptr<Engine> engine;
};

}  // namespace mesh::attention
