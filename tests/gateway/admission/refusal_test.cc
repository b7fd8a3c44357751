// SPDX-License-Identifier: Apache-2.0
#include "gateway/admission/refusal.h"

#include <gtest/gtest.h>

#include <deque>
#include <vector>

#include "tests/gateway/admission/admission_fixture.h"

namespace mesh::gateway {
namespace {

class RefusalTest : public AdmissionTest {};

TEST_F(RefusalTest, ConcurrencyRefusesWhatWouldWaitForTooLong) {
  Teach(absl::Seconds(4));
  a_->concurrency = 1;
  admission_->SetCapacity(8);
  EXPECT_TRUE(Ask(a_).Runs());
  EXPECT_TRUE(Ask(a_).Waits());
  Asker& refused = Ask(a_);
  EXPECT_EQ(refused.Code(), "rate_limit_exceeded");
  EXPECT_EQ(refused.RetryAfter(), absl::Seconds(6.8));  // of 8
  EXPECT_EQ(admission_->Stats().NumShed(ShedReason::kConcurrency), 1u);
  EXPECT_TRUE(Ask(b_).Runs());
}

TEST_F(RefusalTest, RequestRateRefusesWithTheRefillTime) {
  a_->requests_per_minute = 2;
  admission_->SetCapacity(8);
  EXPECT_TRUE(Ask(a_).Runs());
  EXPECT_TRUE(Ask(a_).Runs());
  Asker& refused = Ask(a_);
  EXPECT_EQ(refused.Refusal().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(refused.Code(), "rate_limit_exceeded");
  EXPECT_EQ(DetailsOf(refused.Refusal()).http_status, 429);
  EXPECT_EQ(refused.RetryAfter(), absl::Seconds(30));
  clock_.Advance(absl::Seconds(30));
  EXPECT_TRUE(Ask(a_).Runs());
  EXPECT_EQ(admission_->Stats().NumShed(ShedReason::kRequestRate), 1u);
}

TEST_F(RefusalTest, TokenRateCountsWhatWasGenerated) {
  a_->tokens_per_minute = 60;
  admission_->SetCapacity(8);
  Asker& first = Ask(a_);  // charged 10 + 20
  EXPECT_EQ(admission_->LimitsOf(*a_).tokens.remaining, 30);
  first.Finish(2);
  EXPECT_EQ(admission_->LimitsOf(*a_).tokens.remaining, 48);
  EXPECT_EQ(admission_->LimitsOf(*a_).tokens.limit, 60);
  EXPECT_EQ(admission_->LimitsOf(*a_).tokens.until_full, absl::Seconds(12));
  EXPECT_EQ(admission_->LimitsOf(*a_).requests.limit, 0);
  // Charged 10 and the mean of 2; generates more.
  Ask(a_).Finish(100);
  Asker& refused = Ask(a_);
  EXPECT_EQ(refused.Code(), "rate_limit_exceeded");
  EXPECT_EQ(admission_->Stats().NumShed(ShedReason::kTokenRate), 1u);
  clock_.Advance(*refused.RetryAfter());
  EXPECT_TRUE(Ask(a_).Runs());
}

TEST_F(RefusalTest, WhatIsRefusedOrCancelledIsNotCharged) {
  a_->requests_per_minute = 10;
  Make({.max_waiting = {1, 1000, 1000}});
  admission_->SetCapacity(1);
  Asker& running = Ask(a_);
  Asker& waiting = Ask(a_);
  EXPECT_EQ(admission_->LimitsOf(*a_).requests.remaining, 8);
  EXPECT_EQ(Ask(a_).Code(), "overloaded");
  EXPECT_EQ(admission_->LimitsOf(*a_).requests.remaining, 8);
  waiting.Leave();
  EXPECT_EQ(admission_->LimitsOf(*a_).requests.remaining, 9);
  running.Finish(1);
  EXPECT_EQ(admission_->LimitsOf(*a_).requests.remaining, 9);
}

TEST_F(RefusalTest, ShedsAtOnceWhenTheWaitWouldBeTooLong) {
  Teach(absl::Seconds(2));
  EXPECT_TRUE(Ask(a_).Runs());
  EXPECT_TRUE(Ask(a_).Waits());  // 2 s
  EXPECT_TRUE(Ask(a_).Waits());  // 4 s
  Asker& refused = Ask(a_);
  EXPECT_EQ(refused.Refusal().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(refused.Code(), "overloaded");
  EXPECT_EQ(refused.RetryAfter(), absl::Seconds(5.1));  // of 6
  // Another tenant's turn comes sooner.
  EXPECT_TRUE(Ask(b_).Waits());
  EXPECT_EQ(admission_->Stats().NumShed(ShedReason::kWait), 1u);
}

TEST_F(RefusalTest, AStandingQueueIsKeptShort) {
  Make({.max_wait = absl::Seconds(5)});
  Teach(absl::Seconds(1));
  std::deque<Asker*> running = {&Ask(a_)};
  for (int i = 0; i < 4; ++i) running.push_back(&Ask(a_));
  for (int i = 0; i < 4; ++i) {
    clock_.Advance(absl::Seconds(1));
    running.front()->Finish(20);
    running.pop_front();
    running.push_back(&Ask(a_));
    if (running.back()->Code() == "overloaded") running.pop_back();
  }
  EXPECT_EQ(Ask(a_).Code(), "overloaded");  // 1 waits already
  EXPECT_LE(admission_->Stats().waiting.count, 4u);
}

TEST_F(RefusalTest, ADeadlineThatTheEstimateMissesIsRefusedAtOnce) {
  Teach(absl::Seconds(2));
  EXPECT_TRUE(Ask(a_).Runs());
  EXPECT_EQ(Ask(a_, 0, absl::Seconds(1)).Code(), "overloaded");
  EXPECT_TRUE(Ask(a_, 0, absl::Seconds(3)).Waits());
}

TEST_F(RefusalTest, ADeadlineThatPassesInTheQueue) {
  admission_->SetCapacity(1);
  EXPECT_EQ(Ask(a_, 0, absl::ZeroDuration()).Refusal().code(),
            absl::StatusCode::kDeadlineExceeded);
  Asker& running = Ask(a_);
  Asker& late = Ask(a_, 0, absl::Seconds(1));
  clock_.Advance(absl::Milliseconds(999));
  admission_->Tick();
  EXPECT_TRUE(late.Waits());
  clock_.Advance(absl::Milliseconds(1));
  admission_->Tick();
  EXPECT_EQ(late.Refusal().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(admission_->Stats().waiting, DemandSize());
  running.Finish(1);
  EXPECT_FALSE(late.Runs());
}

TEST_F(RefusalTest, NobodyWaitsLongerThanTheLimit) {
  admission_->SetCapacity(1);
  EXPECT_TRUE(Ask(a_).Runs());
  Asker& waiting = Ask(a_);
  clock_.Advance(absl::Seconds(5));
  admission_->Tick();
  EXPECT_EQ(waiting.Code(), "overloaded");
  EXPECT_GT(waiting.RetryAfter(), absl::ZeroDuration());
  EXPECT_EQ(admission_->Stats().NumShed(ShedReason::kTimedOut), 1u);
}

TEST_F(RefusalTest, StreamsThatDoNotEndMakeTheEstimateLonger) {
  Teach(absl::Milliseconds(10));
  EXPECT_TRUE(Ask(a_).Runs());
  EXPECT_TRUE(Ask(a_).Waits());
  clock_.Advance(absl::Seconds(3));
  Asker& refused = Ask(a_);  // 2 ahead, and 3 s for none of them
  EXPECT_EQ(refused.Code(), "overloaded");
  EXPECT_EQ(refused.RetryAfter(), absl::Seconds(5.1));  // of 6
}

TEST_F(RefusalTest, AFullQueuePushesOutThoseWhoHaveMost) {
  Make({.max_waiting = {4, 1'000'000, 1'000'000}});
  admission_->SetCapacity(1);
  EXPECT_TRUE(Ask(a_).Runs());
  std::vector<Asker*> of_a;
  for (int i = 0; i < 4; ++i) of_a.push_back(&Ask(a_));
  EXPECT_EQ(Ask(a_).Code(), "overloaded");
  EXPECT_TRUE(Ask(b_).Waits());
  EXPECT_EQ(of_a[3]->Code(), "overloaded");
  EXPECT_TRUE(Ask(b_).Waits());
  EXPECT_EQ(of_a[2]->Code(), "overloaded");
  EXPECT_EQ(Ask(b_).Code(), "overloaded");  // as many as the other now
  EXPECT_TRUE(of_a[0]->Waits() && of_a[1]->Waits());
  EXPECT_TRUE(Ask(b_, 3).Waits());  // pushes out its own
  EXPECT_EQ(admission_->Stats().waiting.count, 4u);
}

TEST_F(RefusalTest, TokensAndBytesOfTheQueueAreBounded) {
  Make({.max_waiting = {100, 1000, 5000}});
  admission_->SetCapacity(1);
  EXPECT_TRUE(Ask(a_).Runs());
  Demand demand{.tenant = a_, .num_prompt_tokens = 400, .max_tokens = 100};
  EXPECT_TRUE(Ask(demand).Waits());
  EXPECT_TRUE(Ask(demand).Waits());
  EXPECT_EQ(Ask(demand).Code(), "overloaded");
  demand.num_prompt_tokens = 1;
  demand.max_tokens = 0;
  EXPECT_EQ(Ask(demand).Code(), "overloaded");
  demand.num_prompt_tokens = 0;
  demand.num_bytes = 5000;
  EXPECT_TRUE(Ask(demand).Waits());
  demand.num_bytes = 1;
  EXPECT_EQ(Ask(demand).Code(), "overloaded");
  demand.tenant = b_;
  demand.num_bytes = 5001;
  EXPECT_EQ(Ask(demand).Code(), "overloaded");  // would never fit
  EXPECT_EQ(admission_->Stats().waiting.count, 3u);
}

TEST_F(RefusalTest, DrainingRefusesAllThatDoesNotRun) {
  admission_->SetCapacity(1);
  Asker& running = Ask(a_);
  Asker& waiting = Ask(a_);
  admission_->StartDraining();
  for (const Asker* refused : {&waiting, &Ask(b_)}) {
    EXPECT_EQ(refused->Refusal().code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(refused->Code(), "shutting_down");
    EXPECT_EQ(DetailsOf(refused->Refusal()).http_status, 503);
  }
  EXPECT_TRUE(running.Runs());
  EXPECT_EQ(admission_->Stats().NumShed(ShedReason::kDraining), 2u);
}

}  // namespace
}  // namespace mesh::gateway
