// SPDX-License-Identifier: Apache-2.0
#include "gateway/generate_service.h"

#include <gtest/gtest.h>

#include "absl/strings/ascii.h"
#include "tests/gateway/gateway_fixture.h"

namespace mesh::gateway {
namespace {

using GenerateService = GatewayTest;

v1::GenerateRequest ChatRequest(const std::string& question) {
  v1::GenerateRequest request;
  v1::Message* message = request.mutable_messages()->add_messages();
  message->set_role("user");
  message->set_content(question);
  request.mutable_sampling()->set_seed(5);
  request.set_max_tokens(40);
  return request;
}

TEST_F(GenerateService, TokenIdsGiveTokensOnly) {
  AddNode();
  StartGateway();
  const Outcome outcome = Generate(IdsRequest({5, 6, 7}, 20));
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_EQ(outcome.ids, ExpectedTokens({5, 6, 7}, 11, 20));
  EXPECT_EQ(outcome.text, "");
  EXPECT_EQ(outcome.started.model(), "tiny-r1");
  EXPECT_EQ(outcome.started.seed(), 11U);
  EXPECT_EQ(outcome.started.prompt_tokens(), 3U);
  EXPECT_EQ(outcome.started.numerics_class(), "fake-1");
  EXPECT_EQ(outcome.started.model_digest(), std::string(16, 'd'));
  EXPECT_EQ(outcome.completed.finish_reason(), v1::FINISH_REASON_LENGTH);
  EXPECT_EQ(outcome.completed.usage().prompt_tokens(), 3U);
  EXPECT_EQ(outcome.completed.usage().completion_tokens(), 20U);
  EXPECT_EQ(outcome.completed.migrations(), 0U);
}

TEST_F(GenerateService, UsageSaysHowMuchOfThePromptWasCached) {
  FakeAttentionNode& node = AddNode();
  node.CacheTokens(2);
  StartGateway();
  v1::GenerateRequest request = IdsRequest({5, 6, 7}, 5);
  request.set_cache_salt("mine");
  const Outcome outcome = Generate(request);
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_EQ(outcome.completed.usage().cached_prompt_tokens(), 2U);
  EXPECT_EQ(node.LastSubmit()->cache_salt().size(), 32U);
}

TEST_F(GenerateService, MessagesGiveTextAndTokens) {
  AddNode();
  StartGateway();
  const Outcome outcome = Generate(ChatRequest("What is 2 + 2?"));
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_EQ(outcome.ids.size(), 40U);
  // tiny-r1's prompt opens the thinking, and the fake model never closes it.
  EXPECT_EQ(outcome.text, "");
  EXPECT_NE(outcome.reasoning, "");
  EXPECT_EQ(outcome.completed.usage().reasoning_tokens(), 40U);
}

TEST_F(GenerateService, TextIsNotTemplatedAndBeginsWithBos) {
  FakeAttentionNode& node = AddNode();
  StartGateway();
  v1::GenerateRequest request;
  request.set_text("Hello");
  request.set_max_tokens(8);
  const Outcome outcome = Generate(request);
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_NE(outcome.text, "");
  EXPECT_EQ(outcome.reasoning, "");
  const auto submit = node.LastSubmit();
  ASSERT_TRUE(submit.has_value());
  EXPECT_EQ(submit->prompt(0), 0);
  EXPECT_EQ(submit->prompt_size(),
            static_cast<int>(outcome.started.prompt_tokens()));
}

TEST_F(GenerateService, ModelsRecommendationAndDefaultsReachTheNode) {
  FakeAttentionNode& node = AddNode();
  StartGateway();
  v1::GenerateRequest request;
  request.mutable_token_ids()->add_ids(5);
  request.mutable_sampling()->set_top_k(7);
  node.HoldAt(0);
  Call call(*stub_, request);
  ASSERT_TRUE(call.ReadOne());
  ASSERT_TRUE(node.Await([](const auto& n) { return n.NumRunning() == 1; }));
  const auto submit = node.LastSubmit();
  EXPECT_FLOAT_EQ(submit->sampling().temperature(), 0.6F);
  EXPECT_FLOAT_EQ(submit->sampling().top_p(), 0.95F);
  EXPECT_EQ(submit->sampling().top_k(), 7);
  EXPECT_EQ(submit->sampling().max_tokens(), 2047);
  EXPECT_EQ(submit->sampling().seed(), call.SoFar().started.seed());
  EXPECT_EQ(submit->sampling().num_logprobs(), -1);
  EXPECT_GT(submit->timeout_ms(), 0U);
  EXPECT_LE(submit->timeout_ms(), 31000U);  // gRPC rounds up
  call.Abandon();
}

TEST_F(GenerateService, LogprobsOfPromptAndAnswer) {
  AddNode();
  StartGateway();
  v1::GenerateRequest request = IdsRequest({5, 6, 7, 8}, 3);
  request.set_logprobs(2);
  request.set_prompt_logprobs(true);
  const Outcome outcome = Generate(request);
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  ASSERT_EQ(outcome.prompt_tokens.size(), 3U);
  EXPECT_EQ(outcome.prompt_tokens[0].position(), 1U);
  EXPECT_EQ(outcome.prompt_tokens[2].id(), 8);
  EXPECT_FLOAT_EQ(outcome.prompt_tokens[2].logprob(), -0.5F);
  ASSERT_EQ(outcome.tokens.size(), 3U);
  EXPECT_FLOAT_EQ(outcome.tokens[0].logprob(), -0.25F);
  EXPECT_EQ(outcome.tokens[0].top_size(), 2);
}

TEST_F(GenerateService, StopStringEndsTheStreamAndIsNotShown) {
  FakeAttentionNode& node = AddNode();
  StartGateway();
  v1::GenerateRequest request;
  request.set_text("Hello");
  request.set_max_tokens(60);
  request.mutable_sampling()->set_seed(3);
  const std::string whole = Generate(request).text;
  ASSERT_GT(whole.size(), 40U);
  // Some bytes out of the middle that are a character of their own.
  size_t at = whole.size() / 2;
  while (at < whole.size() &&
         !absl::ascii_isalnum(static_cast<unsigned char>(whole[at]))) {
    ++at;
  }
  ASSERT_LT(at, whole.size());
  const std::string stop(1, whole[at]);
  node.HoldAt(59);  // so that only the stop string can end it
  request.add_stop(stop);
  const Outcome outcome = Generate(request);
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_EQ(outcome.text, whole.substr(0, whole.find(stop)));
  EXPECT_EQ(outcome.completed.finish_reason(), v1::FINISH_REASON_STOP);
  EXPECT_LT(outcome.completed.usage().completion_tokens(), 60U);
  EXPECT_TRUE(node.Await([](const auto& n) { return n.NumRunning() == 0; }));
  EXPECT_EQ(node.NumCancelled(), 1);
}

TEST_F(GenerateService, CancelRpcCompletesTheAnswer) {
  FakeAttentionNode& node = AddNode();
  StartGateway();
  node.HoldAt(5);
  v1::GenerateRequest request = IdsRequest({5}, 20);
  request.set_request_id("to-cancel");
  Call call(*stub_, request);
  ASSERT_TRUE(call.ReadTokens(5));
  v1::CancelRequest cancel;
  cancel.set_request_id("to-cancel");
  v1::CancelResponse response;
  grpc::ClientContext context;
  EXPECT_TRUE(stub_->Cancel(&context, cancel, &response).ok());
  const Outcome& outcome = call.Finish();
  EXPECT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_EQ(outcome.completed.finish_reason(), v1::FINISH_REASON_CANCELLED);
  EXPECT_EQ(outcome.completed.usage().completion_tokens(), 5U);
  EXPECT_TRUE(node.Await([](const auto& n) { return n.NumCancelled() == 1; }));
  grpc::ClientContext again;
  EXPECT_EQ(stub_->Cancel(&again, cancel, &response).error_code(),
            grpc::StatusCode::NOT_FOUND);
}

TEST_F(GenerateService, ClientThatGoesIsCancelledAtTheNode) {
  FakeAttentionNode& node = AddNode();
  StartGateway();
  node.HoldAt(5);
  Call call(*stub_, IdsRequest({5}, 20));
  ASSERT_TRUE(call.ReadTokens(5));
  call.Abandon();
  EXPECT_EQ(call.Finish().status.code(), absl::StatusCode::kCancelled);
  EXPECT_TRUE(node.Await([](const auto& n) { return n.NumCancelled() == 1; }));
}

TEST_F(GenerateService, ClientsDeadlineEndsTheStream) {
  FakeAttentionNode& node = AddNode();
  StartGateway();
  node.HoldAt(5);
  Call call(*stub_, IdsRequest({5}, 20), absl::Milliseconds(300));
  EXPECT_EQ(call.Finish().status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(call.SoFar().ids.size(), 5U);
  EXPECT_TRUE(node.Await([](const auto& n) { return n.NumRunning() == 0; }));
}

TEST_F(GenerateService, DefaultDeadlineEndsTheStream) {
  options_.default_deadline = absl::Milliseconds(300);
  FakeAttentionNode& node = AddNode();
  StartGateway();
  node.HoldAt(5);
  Call call(*stub_, IdsRequest({5}, 20), absl::InfiniteDuration());
  EXPECT_EQ(call.Finish().status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(call.SoFar().ids.size(), 5U);
  EXPECT_TRUE(node.Await([](const auto& n) { return n.NumCancelled() == 1; }));
}

TEST_F(GenerateService, SlowReaderParksItsOwnStreamOnly) {
  FakeAttentionNode& node = AddNode();
  StartGateway();
  node.PadTokens(4000);  // some 40 KiB a token
  Call slow(*stub_, IdsRequest({5}, 500));
  ASSERT_TRUE(slow.ReadOne());
  ASSERT_TRUE(node.Await([](const auto& n) { return n.NumCancelled() == 1; }));
  node.PadTokens(0);
  EXPECT_EQ(Generate(IdsRequest({6}, 5)).ids, ExpectedTokens({6}, 11, 5));
  // Once it reads on, it gets what everybody would have got.
  const Outcome& outcome = slow.Finish();
  EXPECT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_EQ(outcome.ids, ExpectedTokens({5}, 11, 500));
}

TEST_F(GenerateService, ARequestIdRunsOnce) {
  FakeAttentionNode& node = AddNode();
  StartGateway();
  node.HoldAt(0);
  v1::GenerateRequest request = IdsRequest({5}, 20);
  request.set_request_id("twice");
  Call first(*stub_, request);
  ASSERT_TRUE(first.ReadOne());
  const Outcome second = Generate(request);
  EXPECT_EQ(second.status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(second.status.message(),
            "request 'twice' is running already; choose another request_id");
  first.Abandon();
}

TEST_F(GenerateService, TooManyRequestsAreTurnedAway) {
  options_.max_requests = 1;
  FakeAttentionNode& node = AddNode();
  StartGateway();
  node.HoldAt(0);
  Call first(*stub_, IdsRequest({5}, 20));
  ASSERT_TRUE(first.ReadOne());
  const Outcome second = Generate(IdsRequest({5}, 20));
  EXPECT_EQ(second.status.code(), absl::StatusCode::kResourceExhausted);
  first.Abandon();
}

TEST_F(GenerateService, BadRequestsNameFieldValueAndRange) {
  AddNode();
  StartGateway();
  v1::GenerateRequest request = IdsRequest({5}, 5);
  request.mutable_sampling()->set_temperature(3);
  Outcome outcome = Generate(request);
  EXPECT_EQ(outcome.status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(outcome.status.message(), "temperature is 3, expected 0 to 2");
  request = IdsRequest({5}, 5);
  request.set_model("other");
  EXPECT_EQ(Generate(request).status.code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace mesh::gateway
