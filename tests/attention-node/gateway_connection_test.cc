// SPDX-License-Identifier: Apache-2.0
#include "attention-node/gateway_connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "attention-node/gateway_connections.h"
#include "tests/attention-node/engine_harness.h"
#include "tests/support/status_matchers.h"

namespace mesh::attention {
namespace {

using ::testing::HasSubstr;

class TestOutlet final : public GatewayConnection::Outlet {
 public:
  void OnOutgoing() override { ++num_outgoing; }
  void End(const absl::Status& status) override { ended = status; }
  void CutOff(const absl::Status& status) override { cut_off = status; }

  int num_outgoing = 0;
  absl::Status ended;
  absl::Status cut_off;
};

class GatewayConnectionTest : public ::testing::Test {
 protected:
  GatewayConnectionTest() { Open({}); }

  void Open(const GatewayConnection::Options& options) {
    connections_ =
        std::make_unique<GatewayConnections>(options, harness_.clock);
    connections_->Open(*harness_.engine, model_);
    connections_->SetRefusal(absl::OkStatus());
    connection_ = *connections_->Connect(outlet_);
  }

  GatewayConnection::Request RequestOf(uint64_t request, int max_tokens,
                                       uint32_t attempt = 1) {
    GatewayConnection::Request made;
    made.transcript = TestTranscript(request, 4, max_tokens);
    made.attempt = attempt;
    return made;
  }
  void Step() {
    harness_.Step();
    connections_->Flush();
  }
  // The next message, which must be results.
  StepResults NextResults() {
    auto next = connection_->Next();
    EXPECT_TRUE(next.has_value());
    EXPECT_TRUE(std::holds_alternative<StepResults>(*next));
    return std::get<StepResults>(*std::move(next));
  }
  Refusal NextRefusal() {
    auto next = connection_->Next();
    EXPECT_TRUE(next.has_value());
    EXPECT_TRUE(std::holds_alternative<Refusal>(*next));
    return std::get<Refusal>(*std::move(next));
  }

  const EngineModel model_ = TestModel();
  EngineHarness harness_{EngineHarness::Roomy()};
  const std::shared_ptr<TestOutlet> outlet_ = std::make_shared<TestOutlet>();
  std::unique_ptr<GatewayConnections> connections_;
  std::shared_ptr<GatewayConnection> connection_;
};

TEST_F(GatewayConnectionTest, SendsOneMessageForEachStep) {
  connection_->Submit(RequestOf(1, 3));
  connection_->Submit(RequestOf(2, 2, 7));
  EXPECT_FALSE(connection_->Next().has_value());
  Step();
  EXPECT_EQ(outlet_->num_outgoing, 1);
  const StepResults first = NextResults();
  EXPECT_EQ(first.step, 1);
  ASSERT_EQ(first.streams.size(), 2U);
  EXPECT_EQ(first.streams[1].key.attempt, 7U);
  EXPECT_EQ(first.streams[0].tokens.size(), 1U);
  EXPECT_FALSE(connection_->Next().has_value());
  Step();
  const StepResults second = NextResults();
  EXPECT_TRUE(second.streams[1].end.has_value());
  EXPECT_EQ(second.streams[1].end->reason, FinishReason::kLength);
  Step();
  EXPECT_EQ(NextResults().streams.size(), 1U);
  EXPECT_TRUE(connection_->IsIdle());
}

TEST_F(GatewayConnectionTest, EveryResultSaysHowMuchOfThePromptWasCached) {
  Transcript transcript = TestTranscript(1, 9, 2);
  for (const uint32_t choice : {0U, 1U}) {
    transcript.choice = choice;
    connection_->Submit({.transcript = transcript});
    for (int i = 0; i < 2; ++i) {
      Step();
      const StepResults results = NextResults();
      ASSERT_EQ(results.streams.size(), 1U);
      EXPECT_EQ(results.streams[0].num_cached_tokens, choice == 0 ? 0 : 8);
    }
  }
}

TEST_F(GatewayConnectionTest, GathersStepsWhileTheGatewayDoesNotRead) {
  connection_->Submit(RequestOf(1, 5));
  for (int i = 0; i < 5; ++i) Step();
  EXPECT_FALSE(connection_->IsIdle());
  const StepResults all = NextResults();
  EXPECT_EQ(all.step, 5);
  std::vector<TokenId> tokens;
  for (const StreamResult& result : all.streams) {
    for (const EmittedToken& token : result.tokens) {
      EXPECT_EQ(token.index, static_cast<int>(tokens.size()));
      tokens.push_back(token.token);
    }
  }
  EXPECT_EQ(tokens, ExpectedTokens(TestTranscript(1, 4, 5)));
}

TEST_F(GatewayConnectionTest, CutsOffAGatewayThatNeverReads) {
  Open({.max_waiting_entries = 10});
  connection_->Submit(RequestOf(1, 100));
  for (int i = 0; i < 6; ++i) Step();
  EXPECT_THAT(outlet_->cut_off,
              StatusIs(absl::StatusCode::kResourceExhausted,
                       HasSubstr("does not read its results")));
  harness_.RunToEnd();
  EXPECT_LT(harness_.engine->Counters().emitted_tokens, 100);
  EXPECT_FALSE(connection_->Next().has_value());
}

TEST_F(GatewayConnectionTest, RefusesWithTheAttempt) {
  connection_->Submit(RequestOf(1, 0, 3));
  Refusal refusal = NextRefusal();
  EXPECT_EQ(refusal.key, (StreamKey{RequestId{1}, 0, 3}));
  EXPECT_THAT(refusal.status, StatusIs(absl::StatusCode::kInvalidArgument));
  connection_->Submit(RequestOf(2, 5, 1));
  connection_->Submit(RequestOf(2, 5, 2));
  refusal = NextRefusal();
  EXPECT_EQ(refusal.key.attempt, 2U);
  EXPECT_THAT(refusal.status, StatusIs(absl::StatusCode::kAlreadyExists));
  connections_->Drain();
  connection_->Submit(RequestOf(3, 5, 1));
  refusal = NextRefusal();
  EXPECT_THAT(refusal.status, StatusIs(absl::StatusCode::kUnavailable,
                                       HasSubstr("is draining")));
  // What runs goes on.
  harness_.RunToEnd();
  connections_->Flush();
  EXPECT_EQ(NextResults().streams[0].tokens.size(), 5U);
}

TEST_F(GatewayConnectionTest, CancelsOnlyTheAttemptThatIsMeant) {
  connection_->Submit(RequestOf(1, 50, 2));
  connection_->Cancel({RequestId{1}, 0, 1});
  Step();
  EXPECT_FALSE(NextResults().streams[0].end.has_value());
  connection_->Cancel({RequestId{1}, 0, 2});
  Step();
  EXPECT_EQ(NextResults().streams[0].end->reason, FinishReason::kCancelled);
}

TEST_F(GatewayConnectionTest, CloseEndsItsStreamsAndNothingElse) {
  const auto other_outlet = std::make_shared<TestOutlet>();
  const auto other = *connections_->Connect(other_outlet);
  connection_->Submit(RequestOf(1, 50));
  other->Submit(RequestOf(2, 3));
  Step();
  connection_->Close();
  harness_.RunToEnd();
  connections_->Flush();
  EXPECT_FALSE(connection_->Next().has_value());
  EXPECT_TRUE(other->Next().has_value());
  EXPECT_EQ(harness_.engine->Counters().finished, 2);
  EXPECT_LT(harness_.engine->Counters().emitted_tokens, 10);
}

TEST_F(GatewayConnectionTest, OutlivesItsGatewayWhileStreamsRun) {
  connection_->Submit(RequestOf(1, 50));
  Step();
  connection_->Close();
  const std::weak_ptr<GatewayConnection> weak = connection_;
  connection_ = nullptr;
  EXPECT_FALSE(weak.expired());
  harness_.RunToEnd();
  EXPECT_TRUE(weak.expired());
  connections_->Flush();
  EXPECT_TRUE(connections_->IsEmpty());
}

TEST_F(GatewayConnectionTest, SendsHeartbeatsWhenSilent) {
  connection_->Submit(RequestOf(1, 500));
  harness_.clock.Advance(absl::Milliseconds(249));
  connections_->Tick();
  EXPECT_FALSE(connection_->Next().has_value());
  harness_.clock.Advance(absl::Milliseconds(1));
  connections_->Tick();
  EXPECT_EQ(outlet_->num_outgoing, 1);
  const auto beat = connection_->Next();
  ASSERT_TRUE(beat.has_value());
  EXPECT_EQ(std::get<GatewayConnection::Heartbeat>(*beat).sequence, 1U);
  EXPECT_FALSE(connection_->Next().has_value());
  harness_.RunToEnd();
}

TEST_F(GatewayConnectionTest, SendsFewerHeartbeatsWithoutStreams) {
  harness_.clock.Advance(absl::Milliseconds(999));
  connections_->Tick();
  EXPECT_FALSE(connection_->Next().has_value());
  harness_.clock.Advance(absl::Milliseconds(1));
  connections_->Tick();
  EXPECT_TRUE(connection_->Next().has_value());
}

TEST_F(GatewayConnectionTest, DropsASilentGatewayAndItsStreams) {
  connection_->Submit(RequestOf(1, 500));
  Step();
  harness_.clock.Advance(absl::Seconds(4));
  connection_->OnHeartbeat();
  harness_.clock.Advance(absl::Seconds(5));
  connections_->Tick();
  EXPECT_OK(outlet_->cut_off);
  harness_.clock.Advance(absl::Milliseconds(1));
  connections_->Tick();
  EXPECT_THAT(outlet_->cut_off, StatusIs(absl::StatusCode::kDeadlineExceeded,
                                         HasSubstr("silent for 5s")));
  harness_.RunToEnd();
  EXPECT_LT(harness_.engine->Counters().emitted_tokens, 10);
}

TEST_F(GatewayConnectionTest, KeepsToTheTimeThatAStreamMayTake) {
  GatewayConnection::Request request = RequestOf(1, 500);
  request.timeout = absl::Seconds(2);
  connection_->Submit(std::move(request));
  Step();
  harness_.clock.Advance(absl::Seconds(2));
  Step();
  EXPECT_EQ(NextResults().streams.back().end->reason, FinishReason::kDeadline);
}

TEST(GatewayConnections, SaysWhyNobodyMayConnectOrSubmit) {
  FakeClock clock;
  GatewayConnections connections({}, clock);
  const auto outlet = std::make_shared<TestOutlet>();
  EXPECT_THAT(
      connections.Connect(outlet).status(),
      StatusIs(absl::StatusCode::kUnavailable, HasSubstr("still loading")));
  EngineHarness harness(EngineHarness::Roomy());
  const EngineModel model = TestModel();
  connections.Open(*harness.engine, model);
  const auto connection = connections.Connect(outlet);
  ASSERT_OK(connection);
  GatewayConnection::Request request;
  request.transcript = TestTranscript(1, 4, 4);
  (*connection)->Submit(request);
  EXPECT_THAT(
      std::get<Refusal>(*(*connection)->Next()).status,
      StatusIs(absl::StatusCode::kUnavailable, HasSubstr("no placement yet")));
  connections.Close();
  EXPECT_THAT(outlet->ended, StatusIs(absl::StatusCode::kUnavailable,
                                      HasSubstr("is stopping")));
  EXPECT_THAT(connections.Connect(outlet).status(),
              StatusIs(absl::StatusCode::kUnavailable));
}

}  // namespace
}  // namespace mesh::attention
