// SPDX-License-Identifier: Apache-2.0
#include "attention-node/transcript_proto.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/attention-node/submit_proto.h"
#include "tests/support/status_matchers.h"

namespace mesh::attention {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

Transcript FullTranscript() {
  return {.request = RequestId{uint64_t{1} << 60},
          .choice = 2,
          .prompt = {5, 6, 7},
          .cache_salt = "of a tenant",
          .sampling = {.temperature = 0.5F,
                       .top_p = 0.9F,
                       .top_k = 40,
                       .min_p = 0.1F,
                       .presence_penalty = 0.2F,
                       .frequency_penalty = -0.3F,
                       .repetition_penalty = 1.1F,
                       .seed = uint64_t{1} << 63,
                       .logit_bias = {{3, -2.5F}},
                       .num_logprobs = 4,
                       .prompt_logprobs = true,
                       .max_tokens = 99,
                       .stop_token_ids = {1, 2},
                       .ignore_eos = true},
          .routing_table_version = 3,
          .numerics = "bf16-1",
          .model = {.high = 11, .low = 12},
          .emitted = {8, 9}};
}

TEST(TranscriptProto, TakesEveryFieldOver) {
  v1::Submit submit = SubmitOf(FullTranscript(), 6);
  submit.set_priority(3);
  submit.set_timeout_ms(1500);
  const auto request = FromProto(submit);
  ASSERT_OK(request);
  EXPECT_EQ(request->attempt, 6U);
  EXPECT_EQ(request->priority, 3);
  EXPECT_EQ(request->timeout, absl::Milliseconds(1500));
  // The way back, written apart, gives the same message.
  submit.clear_priority();
  submit.clear_timeout_ms();
  EXPECT_EQ(SubmitOf(request->transcript, 6).SerializeAsString(),
            submit.SerializeAsString());
  EXPECT_EQ(request->transcript.model, (Digest{.high = 11, .low = 12}));
  EXPECT_THAT(request->transcript.sampling.logit_bias,
              ElementsAre(Pair(3, -2.5F)));
}

TEST(TranscriptProto, NoTimeoutMeansNoLimit) {
  const auto request = FromProto(SubmitOf(FullTranscript(), 1));
  ASSERT_OK(request);
  EXPECT_EQ(request->timeout, absl::InfiniteDuration());
  v1::Submit longest = SubmitOf(FullTranscript(), 1);
  longest.set_timeout_ms(UINT64_MAX);
  EXPECT_GT(FromProto(longest)->timeout, absl::Hours(24));
}

TEST(TranscriptProto, RefusesADigestThatIsNone) {
  v1::Submit submit = SubmitOf(FullTranscript(), 1);
  submit.set_model_digest("short");
  EXPECT_THAT(FromProto(submit).status(),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(TranscriptProto, WritesResults) {
  StepResults results{.step = 17, .streams = {}};
  results.streams.push_back(
      {.key = {RequestId{4}, 1, 2},
       .num_cached_tokens = 128,
       .prompt_logprobs = {{.position = 1, .token = 3, .logprob = -0.5F}},
       .tokens = {{.index = 0,
                   .token = 8,
                   .logprob = -1.0F,
                   .top = {{.token = 9, .logprob = -0.25F}}}},
       .end = StreamEnd{FinishReason::kFailed,
                        absl::UnavailableError("no node")}});
  const v1::StepResults proto = ToProto(results);
  EXPECT_EQ(proto.step(), 17U);
  const v1::StreamResult& stream = proto.streams(0);
  EXPECT_EQ(stream.request(), 4U);
  EXPECT_EQ(stream.cached_tokens(), 128U);
  EXPECT_EQ(stream.choice(), 1U);
  EXPECT_EQ(stream.attempt(), 2U);
  EXPECT_EQ(stream.prompt_logprobs(0).position(), 1U);
  EXPECT_EQ(stream.prompt_logprobs(0).logprob(), -0.5F);
  EXPECT_EQ(stream.tokens(0).token(), 8);
  EXPECT_EQ(stream.tokens(0).top(0).token(), 9);
  EXPECT_EQ(stream.finished().reason(), v1::FINISH_REASON_FAILED);
  EXPECT_EQ(stream.finished().code(), 14);
  EXPECT_EQ(stream.finished().message(), "no node");
}

TEST(TranscriptProto, NamesEveryReason) {
  const auto reason_of = [](FinishReason reason) {
    StepResults results;
    results.streams.push_back({.key = {}, .end = StreamEnd{reason, {}}});
    return ToProto(results).streams(0).finished().reason();
  };
  EXPECT_EQ(reason_of(FinishReason::kStop), v1::FINISH_REASON_STOP);
  EXPECT_EQ(reason_of(FinishReason::kLength), v1::FINISH_REASON_LENGTH);
  EXPECT_EQ(reason_of(FinishReason::kCancelled), v1::FINISH_REASON_CANCELLED);
  EXPECT_EQ(reason_of(FinishReason::kDeadline), v1::FINISH_REASON_DEADLINE);
  EXPECT_EQ(reason_of(FinishReason::kFailed), v1::FINISH_REASON_FAILED);
}

}  // namespace
}  // namespace mesh::attention
