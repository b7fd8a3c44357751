// SPDX-License-Identifier: Apache-2.0
#include "gateway/stream_log.h"

#include <gtest/gtest.h>

namespace mesh::gateway {
namespace {

StreamLog MakeLog(int max_tokens = 10, bool ignore_eos = false) {
  Sampling sampling;
  sampling.max_tokens = max_tokens;
  sampling.stop_token_ids = {77};
  sampling.ignore_eos = ignore_eos;
  return StreamLog({.request = RequestId{9},
                    .request_id = "nine",
                    .cache_salt = "salt",
                    .prompt = {1, 2, 3},
                    .sampling = sampling,
                    .priority = 2,
                    .vocab_size = 100,
                    .eos_token_ids = {99}});
}

StreamResult Tokens(uint32_t attempt, std::vector<EmittedToken> tokens) {
  return {
      .request = RequestId{9}, .attempt = attempt, .tokens = std::move(tokens)};
}

TEST(StreamLog, SubmissionHoldsTheWholeTranscript) {
  StreamLog log = MakeLog();
  log.SetIdentity({Digest{1, 2}, "bf16-1", 4});
  const Submission first = log.NextSubmission(absl::Seconds(3));
  EXPECT_EQ(first.attempt, 1U);
  EXPECT_EQ(first.prompt, (std::vector<TokenId>{1, 2, 3}));
  EXPECT_TRUE(first.emitted.empty());
  EXPECT_EQ(first.identity, (ModelIdentity{Digest{1, 2}, "bf16-1", 4}));
  EXPECT_EQ(first.priority, 2);
  StreamResult result = Tokens(1, {{0, 5}, {1, 6}});
  ASSERT_TRUE(log.Accept(&result).ok());
  const Submission second = log.NextSubmission(absl::Seconds(2));
  EXPECT_EQ(second.attempt, 2U);
  EXPECT_EQ(second.emitted, (std::vector<TokenId>{5, 6}));
  EXPECT_EQ(second.sampling, first.sampling);
  EXPECT_EQ(first.cache_salt, "salt");
  EXPECT_EQ(second.cache_salt, "salt");
  EXPECT_EQ(second.timeout, absl::Seconds(2));
}

TEST(StreamLog, NoMoreThanThePromptCanHaveBeenCached) {
  StreamLog log = MakeLog();
  log.NextSubmission({});
  StreamResult result = Tokens(1, {{0, 5}});
  result.num_cached_tokens = 3;
  EXPECT_TRUE(log.Accept(&result).ok());
  result.num_cached_tokens = 4;
  EXPECT_EQ(log.Accept(&result).code(), absl::StatusCode::kDataLoss);
}

TEST(StreamLog, KnownTokensAreDropped) {
  StreamLog log = MakeLog();
  log.NextSubmission({});
  StreamResult result = Tokens(1, {{0, 5}, {0, 5}, {1, 6}});
  ASSERT_TRUE(log.Accept(&result).ok());
  ASSERT_EQ(result.tokens.size(), 2U);
  result = Tokens(1, {{0, 5}, {1, 6}, {2, 7}});
  ASSERT_TRUE(log.Accept(&result).ok());
  ASSERT_EQ(result.tokens.size(), 1U);
  EXPECT_EQ(result.tokens[0].index, 2);
  EXPECT_EQ(log.NumEmitted(), 3);
}

TEST(StreamLog, ResultsOfAnOldAttemptAreWorthNothing) {
  StreamLog log = MakeLog();
  log.NextSubmission({});
  log.NextSubmission({});
  StreamResult result = Tokens(1, {{0, 5}});
  result.finished = Finished{};
  ASSERT_TRUE(log.Accept(&result).ok());
  EXPECT_TRUE(result.tokens.empty());
  EXPECT_FALSE(result.finished.has_value());
  EXPECT_EQ(log.NumEmitted(), 0);
}

TEST(StreamLog, DamageIsNoticedAndNothingOfItCounts) {
  const std::vector<std::pair<EmittedToken, std::string>> cases = {
      {{3, 5}, "token 3 came where 2 was expected"},
      {{-1, 5}, "token -1 came where 2 was expected"},
      {{2, 100}, "token 2 is no token of the vocabulary"},
      {{2, -1}, "token 2 is no token of the vocabulary"},
      {{0, 8}, "token 0 differs from the one that was sent before"}};
  for (const auto& [token, message] : cases) {
    StreamLog log = MakeLog();
    log.NextSubmission({});
    StreamResult good = Tokens(1, {{0, 5}});
    ASSERT_TRUE(log.Accept(&good).ok());
    StreamResult bad = Tokens(1, {{1, 6}, token});
    const absl::Status status = log.Accept(&bad);
    EXPECT_EQ(status, absl::DataLossError(message));
    EXPECT_EQ(log.NumEmitted(), 1);
  }
}

TEST(StreamLog, TokensBeyondTheEndAreDamage) {
  StreamLog log = MakeLog(/*max_tokens=*/1);
  log.NextSubmission({});
  StreamResult result = Tokens(1, {{0, 5}, {1, 6}});
  EXPECT_EQ(log.Accept(&result).code(), absl::StatusCode::kDataLoss);
}

TEST(StreamLog, PromptLogprobsComeOnce) {
  StreamLog log = MakeLog();
  log.NextSubmission({});
  StreamResult result{.request = RequestId{9}, .attempt = 1};
  result.prompt_logprobs = {{1, 2}};
  ASSERT_TRUE(log.Accept(&result).ok());
  EXPECT_EQ(result.prompt_logprobs.size(), 1U);
  log.NextSubmission({});
  result = {.request = RequestId{9}, .attempt = 2};
  result.prompt_logprobs = {{1, 2}, {2, 3}};
  ASSERT_TRUE(log.Accept(&result).ok());
  ASSERT_EQ(result.prompt_logprobs.size(), 1U);
  EXPECT_EQ(result.prompt_logprobs[0].position, 2);
  result.prompt_logprobs = {{3, 3}};  // there is no such prompt token
  EXPECT_EQ(log.Accept(&result).code(), absl::StatusCode::kDataLoss);
}

TEST(StreamLog, KnowsWhenTheStreamIsOver) {
  const auto completion = [](bool ignore_eos, std::vector<TokenId> ids) {
    StreamLog log = MakeLog(/*max_tokens=*/3, ignore_eos);
    log.NextSubmission({});
    std::vector<EmittedToken> tokens;
    for (const TokenId id : ids) {
      tokens.push_back({static_cast<int>(tokens.size()), id});
    }
    StreamResult result = Tokens(1, std::move(tokens));
    EXPECT_TRUE(log.Accept(&result).ok());
    return log.Completion();
  };
  EXPECT_EQ(completion(false, {}), std::nullopt);
  EXPECT_EQ(completion(false, {5, 6}), std::nullopt);
  EXPECT_EQ(completion(false, {5, 6, 7}), FinishReason::kLength);
  EXPECT_EQ(completion(false, {99}), FinishReason::kStop);
  EXPECT_EQ(completion(true, {99}), std::nullopt);
  EXPECT_EQ(completion(true, {77}), FinishReason::kStop);
}

}  // namespace
}  // namespace mesh::gateway
