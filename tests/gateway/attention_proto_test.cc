// SPDX-License-Identifier: Apache-2.0
#include "gateway/attention_proto.h"

#include <gtest/gtest.h>

#include <functional>

namespace mesh::gateway {
namespace {

namespace attn = mesh::attention::v1;

TEST(AttentionProto, SubmissionKeepsEveryField) {
  const Submission submission{
      .request = RequestId{9},
      .attempt = 3,
      .prompt = {1, 2},
      .sampling = {.temperature = 0.5F,
                   .top_p = 0.25F,
                   .top_k = 4,
                   .min_p = 0.125F,
                   .presence_penalty = 1,
                   .frequency_penalty = -1,
                   .repetition_penalty = 2,
                   .seed = ~uint64_t{0},
                   .logit_bias = {{7, -3.0F}},
                   .num_logprobs = 5,
                   .prompt_logprobs = true,
                   .max_tokens = 6,
                   .stop_token_ids = {8},
                   .ignore_eos = true},
      .identity = {Digest{0x0102030405060708, 9}, "bf16-1", 4},
      .emitted = {5},
      .timeout = absl::Milliseconds(1500),
      .priority = 7,
      .request_id = "r",
      .cache_salt = "of a tenant"};
  const attn::Submit proto = ToProto(submission);
  EXPECT_EQ(proto.request(), 9U);
  EXPECT_EQ(proto.choice(), 0U);
  EXPECT_EQ(proto.attempt(), 3U);
  EXPECT_EQ(proto.prompt_size(), 2);
  EXPECT_EQ(proto.emitted(0), 5);
  EXPECT_EQ(proto.timeout_ms(), 1500U);
  EXPECT_EQ(proto.priority(), 7U);
  EXPECT_EQ(proto.request_id(), "r");
  EXPECT_EQ(proto.cache_salt(), "of a tenant");
  EXPECT_EQ(proto.routing_table_version(), 4U);
  EXPECT_EQ(proto.numerics_class(), "bf16-1");
  EXPECT_EQ(proto.model_digest().substr(0, 3), "\x01\x02\x03");
  const attn::Sampling& sampling = proto.sampling();
  EXPECT_EQ(sampling.temperature(), 0.5F);
  EXPECT_EQ(sampling.top_p(), 0.25F);
  EXPECT_EQ(sampling.top_k(), 4);
  EXPECT_EQ(sampling.min_p(), 0.125F);
  EXPECT_EQ(sampling.presence_penalty(), 1);
  EXPECT_EQ(sampling.frequency_penalty(), -1);
  EXPECT_EQ(sampling.repetition_penalty(), 2);
  EXPECT_EQ(sampling.seed(), ~uint64_t{0});
  EXPECT_EQ(sampling.logit_bias(0).token(), 7);
  EXPECT_EQ(sampling.logit_bias(0).bias(), -3);
  EXPECT_EQ(sampling.num_logprobs(), 5);
  EXPECT_TRUE(sampling.prompt_logprobs());
  EXPECT_EQ(sampling.max_tokens(), 6);
  EXPECT_EQ(sampling.stop_token_ids(0), 8);
  EXPECT_TRUE(sampling.ignore_eos());
}

TEST(AttentionProto, ShortestTimeoutIsNotNone) {
  Submission submission;
  submission.timeout = absl::Microseconds(1);
  EXPECT_EQ(ToProto(submission).timeout_ms(), 1U);
}

attn::AttentionHello GoodHello() {
  attn::AttentionHello hello;
  hello.mutable_node()->set_name("attention-0");
  hello.mutable_handshake()->set_model_digest(std::string(16, 'd'));
  hello.mutable_handshake()->set_numerics_class("bf16-1");
  hello.set_vocab_size(50);
  hello.set_max_positions(64);
  hello.add_routing_table_versions(2);
  hello.set_heartbeat_interval_ms(250);
  hello.set_max_streams(12);
  return hello;
}

TEST(AttentionProto, HelloIsChecked) {
  const auto hello = FromProto(GoodHello());
  ASSERT_TRUE(hello.ok()) << hello.status();
  EXPECT_EQ(hello->name, "attention-0");
  EXPECT_EQ(hello->max_positions, 64);
  EXPECT_EQ(hello->heartbeat_interval, absl::Milliseconds(250));
  EXPECT_EQ(hello->max_streams, 12);
  const std::vector<std::function<void(attn::AttentionHello&)>> spoils = {
      [](auto& h) { h.mutable_handshake()->set_model_digest("short"); },
      [](auto& h) { h.clear_routing_table_versions(); },
      [](auto& h) { h.set_max_positions(0); },
      [](auto& h) { h.set_max_streams(0); }};
  for (size_t i = 0; i < spoils.size(); ++i) {
    attn::AttentionHello spoilt = GoodHello();
    spoils[i](spoilt);
    EXPECT_EQ(FromProto(spoilt).status().code(),
              absl::StatusCode::kInvalidArgument)
        << i;
  }
}

TEST(AttentionProto, ResultsAndRefusals) {
  attn::StepResults step;
  step.mutable_load()->set_streams_running(0xFFFFFFFF);
  attn::StreamResult* stream = step.add_streams();
  stream->set_request(9);
  stream->set_attempt(2);
  attn::Token* token = stream->add_tokens();
  token->set_index(0xFFFFFFFF);
  token->set_token(7);
  token->add_top()->set_token(8);
  stream->mutable_finished()->set_reason(attn::FINISH_REASON_FAILED);
  stream->mutable_finished()->set_code(14);
  stream->mutable_finished()->set_message("gone");
  const StepResults results = FromProto(step);
  EXPECT_EQ(results.load.streams_running, 0x7FFFFFFF);
  ASSERT_EQ(results.streams.size(), 1U);
  EXPECT_EQ(results.streams[0].tokens[0].index, 0x7FFFFFFF);
  EXPECT_EQ(results.streams[0].tokens[0].top[0].id, 8);
  EXPECT_EQ(results.streams[0].finished->status,
            absl::UnavailableError("gone"));
  attn::Refused refused;
  refused.set_code(0);  // an error all the same
  EXPECT_EQ(FromProto(refused).status.code(), absl::StatusCode::kUnknown);
}

}  // namespace
}  // namespace mesh::gateway
