// SPDX-License-Identifier: Apache-2.0
#include "gateway/attention_pool.h"

#include <gtest/gtest.h>

#include "tests/gateway/gateway_fixture.h"

namespace mesh::gateway {
namespace {

// Faults of attention nodes, as clients of a gateway see them: not at all.
class AttentionPoolTest : public GatewayTest {
 protected:
  // A stream of 60 tokens that stands at token 20 on node 0; node 1 is free.
  std::unique_ptr<Call> StartHeldCall() {
    Node(0).HoldAt(20);
    auto call = std::make_unique<Call>(*stub_, IdsRequest({5, 6}, 60));
    EXPECT_TRUE(call->ReadTokens(20));
    EXPECT_EQ(Node(0).NumRunning(), 1);
    return call;
  }
  static void ExpectWhole(const Outcome& outcome) {
    EXPECT_TRUE(outcome.status.ok()) << outcome.status;
    EXPECT_EQ(outcome.ids, ExpectedTokens({5, 6}, 11, 60));
    EXPECT_EQ(outcome.completed.finish_reason(), v1::FINISH_REASON_LENGTH);
  }
};

TEST_F(AttentionPoolTest, KilledNodesStreamGoesOnElsewhere) {
  AddNode();
  AddNode();
  StartGateway();
  const auto call = StartHeldCall();
  Node(0).Kill();
  const Outcome& outcome = call->Finish();
  ExpectWhole(outcome);
  EXPECT_EQ(outcome.completed.migrations(), 1U);
  const auto submit = Node(1).LastSubmit();
  ASSERT_TRUE(submit.has_value());
  EXPECT_EQ(submit->emitted_size(), 20);
  EXPECT_EQ(submit->attempt(), 2U);
}

TEST_F(AttentionPoolTest, MovedStreamCountsWhatItsFirstNodeHadCached) {
  AddNode().CacheTokens(1);
  AddNode().CacheTokens(2);
  StartGateway();
  const auto call = StartHeldCall();
  const std::string salt = Node(0).LastSubmit()->cache_salt();
  EXPECT_FALSE(salt.empty());
  Node(0).Kill();
  const Outcome& outcome = call->Finish();
  ExpectWhole(outcome);
  EXPECT_EQ(outcome.completed.usage().cached_prompt_tokens(), 1U);
  EXPECT_EQ(Node(1).LastSubmit()->cache_salt(), salt);
}

TEST_F(AttentionPoolTest, FrozenNodesStreamGoesOnElsewhere) {
  options_.heartbeat_timeout = absl::Milliseconds(500);
  AddNode();
  AddNode();
  StartGateway();
  const auto call = StartHeldCall();
  Node(0).Freeze();
  const Outcome& outcome = call->Finish();
  ExpectWhole(outcome);
  EXPECT_EQ(outcome.completed.migrations(), 1U);
  // The woken node hears that its streams are gone, and is used again.
  Node(0).Thaw();
  Node(0).Release();
  EXPECT_TRUE(
      Node(0).Await([](const auto& node) { return node.NumRunning() == 0; }));
  EXPECT_TRUE(Await([&] { return server_->NumAttentionNodes() == 2; }));
}

TEST_F(AttentionPoolTest, QuietStreamOfALivingNodeStays) {
  options_.heartbeat_timeout = absl::Seconds(1);
  AddNode();
  AddNode();
  StartGateway();
  const auto call = StartHeldCall();
  // Heartbeats go on; twice the timeout passes without a token.
  const absl::Time until = absl::Now() + 2 * options_.heartbeat_timeout;
  ASSERT_TRUE(Await([&] { return absl::Now() > until; }));
  EXPECT_EQ(Node(1).NumSubmitted(), 0);
  Node(0).Release();
  ExpectWhole(call->Finish());
  EXPECT_EQ(call->SoFar().completed.migrations(), 0U);
}

TEST_F(AttentionPoolTest, FailedStreamGoesOnElsewhere) {
  AddNode();
  AddNode();
  StartGateway();
  const auto call = StartHeldCall();
  Node(0).FailStreams(absl::UnavailableError("an expert is missing"));
  ExpectWhole(call->Finish());
  EXPECT_EQ(Node(1).NumSubmitted(), 1);
}

TEST_F(AttentionPoolTest, ErrorOfTheRequestItselfEndsIt) {
  AddNode();
  AddNode();
  StartGateway();
  const auto call = StartHeldCall();
  Node(0).FailStreams(absl::InternalError("the logits are not finite"));
  const Outcome& outcome = call->Finish();
  EXPECT_EQ(outcome.status.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(outcome.status.message(), "the logits are not finite");
  EXPECT_EQ(outcome.ids.size(), 20U);
  EXPECT_EQ(Node(1).NumSubmitted(), 0);
}

TEST_F(AttentionPoolTest, RefusedStreamIsGivenToAnother) {
  AddNode();
  AddNode();
  StartGateway();
  Node(0).RefuseWith(absl::ResourceExhaustedError("the queue is full"));
  ExpectWhole(Generate(IdsRequest({5, 6}, 60)));
  EXPECT_EQ(Node(0).NumSubmitted(), 1);
  EXPECT_EQ(Node(1).NumSubmitted(), 1);
}

TEST_F(AttentionPoolTest, FullMeshTurnsNewRequestsAwayAtOnce) {
  AddNode();
  AddNode();
  StartGateway();
  for (size_t i = 0; i < 2; ++i) {
    Node(i).RefuseWith(absl::ResourceExhaustedError("the queue is full"));
  }
  const Outcome outcome = Generate(IdsRequest({5, 6}, 60));
  EXPECT_EQ(outcome.status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Node(0).NumSubmitted() + Node(1).NumSubmitted(), 2);
}

TEST_F(AttentionPoolTest, RepeatedTokensAreShownOnce) {
  AddNode();
  StartGateway();
  Node(0).RepeatTokens();
  ExpectWhole(Generate(IdsRequest({5, 6}, 60)));
}

TEST_F(AttentionPoolTest, MissingTokenIsMadeUpFor) {
  AddNode();
  AddNode();
  StartGateway();
  Node(0).SkipToken(13);
  const Outcome outcome = Generate(IdsRequest({5, 6}, 60));
  ExpectWhole(outcome);
  EXPECT_EQ(outcome.completed.migrations(), 1U);
}

TEST_F(AttentionPoolTest, LateTokensOfAnOldAttemptAreDropped) {
  AddNode();
  AddNode();
  StartGateway();
  const auto call = StartHeldCall();
  Node(1).HoldAt(40);
  Node(0).FailStreams(absl::UnavailableError("an expert is missing"));
  ASSERT_TRUE(call->ReadTokens(40));
  const uint64_t request = Node(1).LastSubmit()->request();
  Node(0).SendStale(request, /*attempt=*/1, 20);
  Node(0).SendStale(request, /*attempt=*/1, 40);
  Node(0).SendStale(request, /*attempt=*/2, 40);  // not that node's stream
  Node(1).SendStale(request, /*attempt=*/1, 40);
  Node(1).Release();
  ExpectWhole(call->Finish());
}

TEST_F(AttentionPoolTest, StreamsWaitWhileAllNodesAreAway) {
  AddNode();
  StartGateway();
  const auto call = StartHeldCall();
  const int port = Node(0).Port();
  Node(0).Kill();
  ASSERT_TRUE(Await([&] { return server_->NumAttentionNodes() == 0; }));
  Call late(*stub_, IdsRequest({8}, 10));  // a new one waits as well
  ASSERT_TRUE(late.ReadOne());
  nodes_.clear();
  AddNode({.port = port});
  ExpectWhole(call->Finish());
  EXPECT_EQ(late.Finish().ids, ExpectedTokens({8}, 11, 10));
}

TEST_F(AttentionPoolTest, StreamsDoNotWaitForEver) {
  options_.max_wait = absl::Milliseconds(400);
  AddNode();
  StartGateway();
  const auto call = StartHeldCall();
  Node(0).Kill();
  const Outcome& outcome = call->Finish();
  EXPECT_EQ(outcome.status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(outcome.ids.size(), 20U);
}

TEST_F(AttentionPoolTest, OtherNumericsClassDoesNotTakeOver) {
  options_.max_wait = absl::Milliseconds(400);
  AddNode();
  AddNode({.numerics = "fake-2"});
  Node(1).SetDraining(true);
  StartGateway();
  Node(0).HoldAt(20);
  // Only nodes that do not drain are chosen at the beginning.
  ASSERT_TRUE(Await([&] {
    Call call(*stub_, IdsRequest({5, 6}, 1));
    call.Finish();
    return Node(0).NumSubmitted() > 0 && Node(1).NumSubmitted() == 0;
  }));
  Call call(*stub_, IdsRequest({5, 6}, 60));
  ASSERT_TRUE(call.ReadTokens(20));
  Node(1).SetDraining(false);
  Node(0).Kill();
  EXPECT_EQ(call.Finish().status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Node(1).NumSubmitted(), 0);
}

TEST_F(AttentionPoolTest, OtherModelIsNotConnected) {
  AddNode();
  StartGateway();
  FakeAttentionNode other({.name = "attention-9", .vocab_size = 4096});
  options_.attention_nodes = {{"attention-9", other.Address()}};
  auto server = GatewayServer::Start(options_, *logger_);
  ASSERT_TRUE(server.ok());
  const absl::Time until = absl::Now() + absl::Milliseconds(400);
  ASSERT_TRUE(Await([&] { return absl::Now() > until; }));
  EXPECT_EQ((*server)->NumAttentionNodes(), 0);
}

TEST_F(AttentionPoolTest, LoadIsSpread) {
  AddNode();
  AddNode();
  StartGateway();
  Node(0).HoldAt(1);
  Node(1).HoldAt(1);
  std::vector<std::unique_ptr<Call>> calls;
  for (int i = 0; i < 8; ++i) {
    calls.push_back(std::make_unique<Call>(*stub_, IdsRequest({5, 6}, 60)));
    ASSERT_TRUE(calls.back()->ReadTokens(1));
  }
  EXPECT_EQ(Node(0).NumRunning(), 4);
  EXPECT_EQ(Node(1).NumRunning(), 4);
  Node(0).Release();
  Node(1).Release();
  for (const auto& call : calls) ExpectWhole(call->Finish());
}

TEST_F(AttentionPoolTest, EveryStreamOfManySurvivesTwoKills) {
  AddNode();
  AddNode();
  AddNode();
  StartGateway();
  for (size_t i = 0; i < 3; ++i) Node(i).HoldAt(20);
  std::vector<std::unique_ptr<Call>> calls;
  for (TokenId i = 0; i < 16; ++i) {
    calls.push_back(std::make_unique<Call>(*stub_, IdsRequest({5, i}, 60)));
  }
  for (const auto& call : calls) ASSERT_TRUE(call->ReadTokens(20));
  Node(1).HoldAt(40);
  Node(2).HoldAt(40);
  Node(0).Kill();
  for (const auto& call : calls) ASSERT_TRUE(call->ReadTokens(40));
  Node(2).Release();
  Node(1).Kill();
  for (TokenId i = 0; i < 16; ++i) {
    const Outcome& outcome = calls[static_cast<size_t>(i)]->Finish();
    EXPECT_TRUE(outcome.status.ok()) << outcome.status;
    EXPECT_EQ(outcome.ids, ExpectedTokens({5, i}, 11, 60));
  }
}

}  // namespace
}  // namespace mesh::gateway
