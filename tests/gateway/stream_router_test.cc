// SPDX-License-Identifier: Apache-2.0
#include "gateway/stream_router.h"

#include <gtest/gtest.h>

namespace mesh::gateway {
namespace {

class FakeLink final : public NodeLink {
 public:
  void Submit(const Submission& submission) override {
    submissions.push_back(submission);
  }
  void Cancel(RequestId request, uint32_t attempt) override {
    cancelled.emplace_back(request.value, attempt);
  }

  std::vector<Submission> submissions;
  std::vector<std::pair<uint64_t, uint32_t>> cancelled;
};

class FakeSink final : public StreamSink {
 public:
  void OnResult(StreamResult result, int /*num_migrations*/) override {
    EXPECT_FALSE(end.has_value());
    for (const EmittedToken& token : result.tokens) ids.push_back(token.id);
    dirty = true;
  }
  void OnEnd(StreamEnd its_end) override {
    EXPECT_FALSE(end.has_value());
    end = its_end;
    dirty = true;
  }
  void Wake() override { dirty = false; }

  std::vector<TokenId> ids;
  std::optional<StreamEnd> end;
  bool dirty = false;  // not woken since
};

class StreamRouterTest : public ::testing::Test {
 protected:
  std::shared_ptr<FakeLink> AddNode(const std::string& name,
                                    const std::string& numerics = "n",
                                    int max_positions = 100) {
    auto link = std::make_shared<FakeLink>();
    router_.OnNodeReady(link, {.name = name,
                               .model = {},
                               .numerics = numerics,
                               .vocab_size = 50,
                               .max_positions = max_positions,
                               .routing_tables = {0, 3},
                               .heartbeat_interval = {},
                               .max_streams = 8});
    return link;
  }

  std::shared_ptr<FakeSink> Submit(absl::Duration limit = absl::Seconds(600),
                                   std::vector<TokenId> prompt = {1, 2},
                                   const std::string& salt = "s") {
    auto sink = std::make_shared<FakeSink>();
    Sampling sampling;
    sampling.max_tokens = 5;
    auto start = router_.Submit({.request_id = "r",
                                 .cache_salt = salt,
                                 .prompt = std::move(prompt),
                                 .sampling = sampling,
                                 .priority = 0,
                                 .deadline = clock_.Now() + limit},
                                sink);
    EXPECT_TRUE(start.ok()) << start.status();
    if (start.ok()) last_id_ = start->id;
    return sink;
  }

  void Emit(const std::shared_ptr<FakeLink>& link, uint32_t attempt, int index,
            TokenId id, std::optional<Finished> finished = {}) {
    StepResults step;
    step.streams.push_back({.request = last_id_,
                            .attempt = attempt,
                            .tokens = {{index, id}},
                            .finished = std::move(finished)});
    router_.OnStep(link.get(), std::move(step));
  }

  void Advance(absl::Duration duration) {
    clock_.Advance(duration);
    router_.Tick();
  }

  FakeClock clock_;
  std::vector<std::string> moves_;
  StreamRouter router_{
      {.vocab_size = 50,
       .max_streams = 3,
       .first_id = 7,
       .on_migration =
           [this](absl::string_view reason) { moves_.emplace_back(reason); }},
      clock_};
  RequestId last_id_;
};

TEST_F(StreamRouterTest, NothingIsAcceptedBeforeANodeWasReady) {
  const auto start = router_.Submit({}, std::make_shared<FakeSink>());
  EXPECT_EQ(start.status(), StreamRouter::NotReadyError());
  EXPECT_EQ(router_.MaxPositions(), std::nullopt);
  EXPECT_EQ(router_.Identity(), std::nullopt);
}

TEST_F(StreamRouterTest, StreamRunsToItsEnd) {
  const auto link = AddNode("a");
  const auto sink = Submit();
  ASSERT_EQ(link->submissions.size(), 1U);
  EXPECT_EQ(link->submissions[0].request.value, 7U);
  EXPECT_EQ(link->submissions[0].identity.routing_table, 3U);
  EXPECT_EQ(link->submissions[0].timeout, absl::Seconds(600));
  Emit(link, 1, 0, 11);
  Emit(link, 1, 1, 12, Finished{FinishReason::kStop, {}});
  EXPECT_EQ(sink->ids, (std::vector<TokenId>{11, 12}));
  ASSERT_TRUE(sink->end.has_value());
  EXPECT_EQ(sink->end->reason, FinishReason::kStop);
  EXPECT_FALSE(sink->dirty);
  EXPECT_EQ(router_.GetCounts().streams, 0);
  EXPECT_TRUE(moves_.empty());
}

TEST_F(StreamRouterTest, ParkedStreamGoesOnWhereItStopped) {
  const auto link = AddNode("a");
  const auto sink = Submit();
  Emit(link, 1, 0, 11);
  router_.Park(RequestId{7});
  EXPECT_EQ(link->cancelled.size(), 1U);
  Emit(link, 1, 1, 99);  // was under way
  Advance(absl::Seconds(100));
  EXPECT_EQ(link->submissions.size(), 1U);
  router_.Resume(RequestId{7});
  ASSERT_EQ(link->submissions.size(), 2U);
  EXPECT_EQ(link->submissions[1].emitted, (std::vector<TokenId>{11}));
  Emit(link, 2, 1, 12, Finished{FinishReason::kStop, {}});
  EXPECT_EQ(sink->ids, (std::vector<TokenId>{11, 12}));
  EXPECT_TRUE(moves_.empty());
  router_.Park(RequestId{7});  // has ended
  router_.Resume(RequestId{7});
  EXPECT_EQ(link->submissions.size(), 2U);
}

TEST_F(StreamRouterTest, StreamsThatBeginAlikeGoToTheSameNode) {
  const auto a = AddNode("a");
  const auto b = AddNode("b");
  const std::vector<TokenId> prompt(70, 3);
  std::vector<TokenId> next_turn = prompt;
  next_turn.insert(next_turn.end(), {4, 5, 6});
  Submit(absl::Seconds(600), prompt);
  Submit(absl::Seconds(600), next_turn);
  EXPECT_EQ(a->submissions.size(), 2U);
  // Another tenant's prompt is not cached for this one.
  Submit(absl::Seconds(600), prompt, "other");
  EXPECT_EQ(b->submissions.size(), 1U);
  EXPECT_EQ(b->submissions[0].cache_salt, "other");
}

TEST_F(StreamRouterTest, WhereAStreamHasMovedItsNextTurnGoes) {
  const auto a = AddNode("a");
  const auto b = AddNode("b");
  const std::vector<TokenId> prompt(70, 3);
  Submit(absl::Seconds(600), prompt);
  router_.OnNodeLost(a.get());
  ASSERT_EQ(b->submissions.size(), 1U);
  AddNode("a");
  Submit(absl::Seconds(600), prompt);
  EXPECT_EQ(b->submissions.size(), 2U);
}

TEST_F(StreamRouterTest, LimitsOfTheMeshAreThoseOfTheSmallestNode) {
  AddNode("a");
  const auto small = AddNode("b", "n", 40);
  EXPECT_EQ(router_.MaxPositions(), 40);
  router_.OnNodeLost(small.get());
  EXPECT_EQ(router_.MaxPositions(), 100);
}

TEST_F(StreamRouterTest, LostNodesStreamMovesAtOnce) {
  const auto a = AddNode("a");
  const auto b = AddNode("b");
  const auto sink = Submit();
  Emit(a, 1, 0, 11);
  router_.OnNodeLost(a.get());
  ASSERT_EQ(b->submissions.size(), 1U);
  EXPECT_EQ(b->submissions[0].emitted, (std::vector<TokenId>{11}));
  EXPECT_EQ(b->submissions[0].attempt, 2U);
  Emit(a, 1, 1, 40);  // a lost node is not heard
  Emit(b, 1, 1, 40);  // an attempt of the past
  EXPECT_EQ(sink->ids.size(), 1U);
  Emit(b, 2, 1, 12, Finished{FinishReason::kLength, {}});
  ASSERT_TRUE(sink->end.has_value());
  EXPECT_EQ(sink->end->num_migrations, 1);
  EXPECT_EQ(moves_, std::vector<std::string>{"lost"});
}

TEST_F(StreamRouterTest, StreamThatIsCompleteNeedsNoOtherNode) {
  const auto a = AddNode("a");
  const auto sink = Submit();
  for (int i = 0; i < 5; ++i) Emit(a, 1, i, 11);
  EXPECT_FALSE(sink->end.has_value());
  router_.OnNodeLost(a.get());
  ASSERT_TRUE(sink->end.has_value());
  EXPECT_EQ(sink->end->reason, FinishReason::kLength);
}

TEST_F(StreamRouterTest, WaitsForANodeUpToItsLimit) {
  const auto a = AddNode("a");
  const auto sink = Submit();
  router_.OnNodeLost(a.get());
  Advance(absl::Seconds(59));
  EXPECT_FALSE(sink->end.has_value());
  const auto again = AddNode("a");
  EXPECT_EQ(again->submissions.size(), 1U);
  router_.OnNodeLost(again.get());
  Advance(absl::Seconds(59));
  EXPECT_FALSE(sink->end.has_value());
  Advance(absl::Seconds(2));
  ASSERT_TRUE(sink->end.has_value());
  EXPECT_EQ(sink->end->status.code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(sink->dirty);
}

TEST_F(StreamRouterTest, OtherClassOrTableIsNoPlaceToGoOn) {
  const auto a = AddNode("a");
  const auto sink = Submit();
  const auto b = AddNode("b", "other");
  router_.OnNodeLost(a.get());
  EXPECT_TRUE(b->submissions.empty());
  // A new stream takes what is there.
  Submit();
  ASSERT_EQ(b->submissions.size(), 1U);
  EXPECT_EQ(b->submissions[0].identity.numerics, "other");
  EXPECT_FALSE(sink->end.has_value());
}

TEST_F(StreamRouterTest, RefusedStreamGoesToAnotherAtOnce) {
  const auto a = AddNode("a");
  const auto b = AddNode("b");
  Submit();
  router_.OnRefused(a.get(), {last_id_, 1, absl::UnavailableError("closing")});
  EXPECT_EQ(b->submissions.size(), 1U);
  router_.OnRefused(a.get(), {last_id_, 1, absl::UnavailableError("again")});
  EXPECT_EQ(b->submissions.size(), 1U);
  EXPECT_EQ(moves_, std::vector<std::string>{"refused"});
}

TEST_F(StreamRouterTest, OnlyNodeIsTriedAgainWithPauses) {
  const auto a = AddNode("a");
  const auto sink = Submit();
  const absl::Status closing = absl::UnavailableError("closing");
  absl::Duration pause = absl::Milliseconds(100);
  for (uint32_t attempt = 1; attempt < 5; ++attempt) {
    ASSERT_EQ(a->submissions.size(), attempt);
    router_.OnRefused(a.get(), {last_id_, attempt, closing});
    Advance(pause - absl::Milliseconds(1));
    EXPECT_EQ(a->submissions.size(), attempt);
    Advance(absl::Milliseconds(1));
    pause *= 2;
  }
  EXPECT_FALSE(sink->end.has_value());
  router_.OnRefused(a.get(), {last_id_, 5, closing});
  ASSERT_TRUE(sink->end.has_value());
  EXPECT_EQ(sink->end->status, closing);
}

TEST_F(StreamRouterTest, NewTokensMakeUpForFailures) {
  const auto a = AddNode("a");
  const auto sink = Submit();
  for (uint32_t attempt = 1; attempt < 5; ++attempt) {
    Emit(a, attempt, static_cast<int>(attempt) - 1, 11);
    router_.OnRefused(a.get(), {last_id_, attempt, absl::AbortedError("")});
    Advance(absl::Milliseconds(100));
    EXPECT_EQ(a->submissions.size(), attempt + 1);
  }
  EXPECT_FALSE(sink->end.has_value());
}

TEST_F(StreamRouterTest, InvalidRequestIsNotTriedElsewhere) {
  const auto a = AddNode("a");
  const auto b = AddNode("b");
  const auto sink = Submit();
  const absl::Status invalid = absl::InvalidArgumentError("max_tokens is 0");
  router_.OnRefused(a.get(), {last_id_, 1, invalid});
  ASSERT_TRUE(sink->end.has_value());
  EXPECT_EQ(sink->end->status, invalid);
  EXPECT_TRUE(b->submissions.empty());
}

TEST_F(StreamRouterTest, FullMeshTurnsNewStreamsAwayButKeepsOldOnes) {
  const auto a = AddNode("a");
  const auto b = AddNode("b");
  const absl::Status full = absl::ResourceExhaustedError("full");
  const auto fresh = Submit();
  router_.OnRefused(a.get(), {last_id_, 1, full});
  router_.OnRefused(b.get(), {last_id_, 2, full});
  ASSERT_TRUE(fresh->end.has_value());
  EXPECT_EQ(fresh->end->status, full);
  const auto begun = Submit();
  Emit(a, 1, 0, 11);
  router_.OnNodeLost(a.get());
  for (uint32_t attempt = 2; attempt < 9; ++attempt) {
    router_.OnRefused(b.get(), {last_id_, attempt, full});
    Advance(absl::Seconds(5));
  }
  EXPECT_FALSE(begun->end.has_value());
  EXPECT_EQ(b->submissions.size(), 9U);
}

TEST_F(StreamRouterTest, DamagedResultMovesTheStream) {
  const auto a = AddNode("a");
  const auto b = AddNode("b");
  const auto sink = Submit();
  Emit(a, 1, 3, 11);
  EXPECT_EQ(a->cancelled.size(), 1U);
  EXPECT_EQ(b->submissions.size(), 1U);
  EXPECT_TRUE(sink->ids.empty());
  EXPECT_EQ(moves_, std::vector<std::string>{"damaged"});
}

TEST_F(StreamRouterTest, DeadlineEndsAStreamWhereverItIs) {
  const auto a = AddNode("a");
  const auto running = Submit(absl::Seconds(10));
  Advance(absl::Seconds(9));
  EXPECT_FALSE(running->end.has_value());
  Advance(absl::Seconds(1));
  ASSERT_TRUE(running->end.has_value());
  EXPECT_EQ(running->end->reason, FinishReason::kDeadline);
  EXPECT_EQ(a->cancelled.size(), 1U);
  const auto waiting = Submit(absl::Seconds(10));
  router_.OnNodeLost(a.get());
  Advance(absl::Seconds(10));
  ASSERT_TRUE(waiting->end.has_value());
  EXPECT_EQ(waiting->end->status.code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(StreamRouterTest, CancelEndsTheStreamHereAndThere) {
  const auto a = AddNode("a");
  const auto sink = Submit();
  router_.Cancel(last_id_, absl::OkStatus());
  ASSERT_TRUE(sink->end.has_value());
  EXPECT_EQ(sink->end->reason, FinishReason::kCancelled);
  EXPECT_EQ(a->cancelled.size(), 1U);
  router_.Cancel(last_id_, absl::OkStatus());
  Emit(a, 1, 0, 11);
  EXPECT_TRUE(sink->ids.empty());
}

TEST_F(StreamRouterTest, LoadDecidesAndDrainingNodesGetNothing) {
  const auto a = AddNode("a");
  const auto b = AddNode("b");
  router_.OnLoad(a.get(), {.streams_running = 2, .streams_waiting = 1});
  Submit();
  EXPECT_EQ(b->submissions.size(), 1U);
  router_.OnLoad(b.get(), {.draining = true});
  Submit();
  EXPECT_EQ(a->submissions.size(), 1U);
}

TEST_F(StreamRouterTest, StreamsAreBounded) {
  AddNode("a");
  for (int i = 0; i < 3; ++i) Submit();
  const auto start = router_.Submit({}, std::make_shared<FakeSink>());
  EXPECT_EQ(start.status().code(), absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace mesh::gateway
