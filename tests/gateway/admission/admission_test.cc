// SPDX-License-Identifier: Apache-2.0
#include "gateway/admission/admission.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <vector>

#include "tests/gateway/admission/admission_fixture.h"

namespace mesh::gateway {
namespace {

TEST_F(AdmissionTest, RunsUntilCapacityThenWaitsInOrder) {
  admission_->SetCapacity(2);
  Asker& first = Ask(a_);
  Asker& second = Ask(a_);
  Asker& third = Ask(a_);
  Asker& fourth = Ask(a_);
  EXPECT_TRUE(first.Runs() && second.Runs());
  EXPECT_TRUE(third.Waits() && fourth.Waits());
  EXPECT_EQ(admission_->Stats().waiting, (DemandSize{2, 60, 200}));
  clock_.Advance(absl::Seconds(1));
  second.Finish(5);
  EXPECT_TRUE(third.Runs());
  EXPECT_EQ(third.Held().Waited(), absl::Seconds(1));
  EXPECT_TRUE(fourth.Waits());
  first.Finish(5);
  EXPECT_TRUE(fourth.Runs());
  EXPECT_EQ(admission_->Stats().num_running, 2);
  EXPECT_EQ(admission_->Stats().num_admitted, 4u);
  EXPECT_EQ(admission_->Stats().waiting, DemandSize());
}

TEST_F(AdmissionTest, PriorityThenAgeWithinATenant) {
  admission_->SetCapacity(1);
  Asker& running = Ask(a_);
  Asker& low = Ask(a_, 0);
  Asker& high = Ask(a_, 5);
  Asker& high_later = Ask(a_, 5);
  running.Finish(1);
  EXPECT_TRUE(high.Runs());
  high.Finish(1);
  EXPECT_TRUE(high_later.Runs());
  high_later.Finish(1);
  EXPECT_TRUE(low.Runs());
}

TEST_F(AdmissionTest, TenantsTakeTurnsByWeight) {
  const auto heavy = MakeTenant("heavy");
  heavy->priority_class = PriorityClass::kNormal;
  const auto light = MakeTenant("light");
  light->priority_class = PriorityClass::kLow;
  admission_->SetCapacity(1);
  Asker* running = &Ask(MakeTenant("other"));
  std::vector<Asker*> heavies;
  std::vector<Asker*> lights;
  for (int i = 0; i < 40; ++i) lights.push_back(&Ask(light));
  for (int i = 0; i < 40; ++i) heavies.push_back(&Ask(heavy));
  int num_heavy = 0;
  for (int i = 0; i < 40; ++i) {
    running->Finish(1);
    running = nullptr;
    for (Asker* asker : heavies) {
      if (asker->Runs()) {
        running = asker;
        ++num_heavy;
      }
    }
    for (Asker* asker : lights) {
      if (asker->Runs()) running = asker;
    }
    ASSERT_NE(running, nullptr);
  }
  EXPECT_NEAR(num_heavy, 32, 2);
}

TEST_F(AdmissionTest, ATenantThatWasIdleGetsItsTurnAndNoMore) {
  admission_->SetCapacity(1);
  Asker* running = &Ask(a_);
  for (int i = 0; i < 100; ++i) {
    Asker& next = Ask(a_);
    running->Finish(1);
    running = &next;
  }
  std::vector<Asker*> of_a;
  std::vector<Asker*> of_b;
  for (int i = 0; i < 20; ++i) of_a.push_back(&Ask(a_));
  for (int i = 0; i < 20; ++i) of_b.push_back(&Ask(b_));
  int num_b = 0;
  for (int i = 0; i < 20; ++i) {
    running->Finish(1);
    for (Asker* asker : of_a) {
      if (asker->Runs()) running = asker;
    }
    for (Asker* asker : of_b) {
      if (!asker->Runs()) continue;
      running = asker;
      ++num_b;
    }
  }
  EXPECT_NEAR(num_b, 10, 1);
}

TEST_F(AdmissionTest, ConcurrencyOfATenantLeavesTheRestToOthers) {
  a_->concurrency = 1;
  admission_->SetCapacity(3);
  Asker& first = Ask(a_);
  Asker& second = Ask(a_);
  EXPECT_TRUE(second.Waits());
  EXPECT_TRUE(Ask(b_).Runs());
  EXPECT_TRUE(Ask(b_).Runs());
  first.Finish(1);
  EXPECT_TRUE(second.Runs());
}

TEST_F(AdmissionTest, WithoutNodesWaitsForOne) {
  Asker& waiting = Ask(a_);
  Asker& too_long = Ask(a_);
  EXPECT_TRUE(waiting.Waits());
  clock_.Advance(absl::Seconds(3));
  admission_->SetCapacity(1);
  EXPECT_TRUE(waiting.Runs());
  admission_->SetCapacity(0);
  waiting.Finish(1);
  clock_.Advance(absl::Seconds(2));
  admission_->Tick();
  EXPECT_EQ(too_long.Refusal().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(too_long.Code(), "unavailable");
}

TEST_F(AdmissionTest, LessCapacityStopsNothingThatRuns) {
  admission_->SetCapacity(2);
  Asker& first = Ask(a_);
  Asker& second = Ask(a_);
  Asker& third = Ask(a_);
  admission_->SetCapacity(1);
  first.Finish(1);
  EXPECT_TRUE(third.Waits());
  second.Finish(1);
  EXPECT_TRUE(third.Runs());
}

TEST_F(AdmissionTest, LeavingTheQueue) {
  admission_->SetCapacity(1);
  Asker& running = Ask(a_);
  Asker& gone = Ask(a_);
  Asker& next = Ask(a_);
  gone.Leave();
  EXPECT_EQ(admission_->Stats().num_cancelled, 1u);
  running.Finish(1);
  EXPECT_EQ(gone.NumCalls(), 0);
  EXPECT_TRUE(next.Runs());
  next.Leave();  // changes nothing
  EXPECT_EQ(admission_->Stats().num_running, 1);
}

TEST_F(AdmissionTest, TicketsThatNobodyTakesDoNotNest) {
  admission_->SetCapacity(1);
  Asker& running = Ask(a_);
  std::vector<Place> places;
  int num_calls = 0;
  int depth = 0;
  int deepest = 0;
  for (int i = 0; i < 4000; ++i) {
    places.push_back(
        admission_->Ask({.tenant = a_}, [&](absl::StatusOr<Ticket> ticket) {
          deepest = std::max(deepest, ++depth);
          ++num_calls;
          { const absl::StatusOr<Ticket> dropped = std::move(ticket); }
          --depth;
        }));
  }
  running.Finish(1);
  EXPECT_EQ(num_calls, 4000);
  EXPECT_EQ(deepest, 1);
  EXPECT_EQ(admission_->Stats().num_running, 0);
}

TEST_F(AdmissionTest, ACallbackMayAskAgain) {
  admission_->SetCapacity(1);
  Place again;
  int num_calls = 0;
  const Place place =
      admission_->Ask({.tenant = a_}, [&](const absl::StatusOr<Ticket>&) {
        ++num_calls;
        again = admission_->Ask(
            {.tenant = a_},
            [&](const absl::StatusOr<Ticket>&) { ++num_calls; });
      });
  EXPECT_EQ(num_calls, 2);
  EXPECT_EQ(admission_->Stats().num_running, 0);
}

TEST_F(AdmissionTest, ForgetsTenantsThatAskForNothing) {
  a_->requests_per_minute = 10;
  admission_->SetCapacity(1);
  Ask(a_).Finish(1);
  EXPECT_EQ(admission_->LimitsOf(*a_).requests.remaining, 9);
  clock_.Advance(absl::Minutes(2));
  admission_->Tick();
  EXPECT_EQ(admission_->LimitsOf(*a_).requests.remaining, 10);
  EXPECT_TRUE(Ask(a_).Runs());
}

// What does not wait for long takes streams all the same.
TEST_F(AdmissionTest, HintCountsStreamsThatOthersTakeWithoutWaiting) {
  Make({.max_wait = absl::Seconds(1000)});
  Teach(absl::Seconds(1));
  Asker* running = &Ask(a_);
  std::deque<Asker*> waiting;
  for (int i = 0; i < 40; ++i) waiting.push_back(&Ask(a_));
  for (int i = 0; i < 60; ++i) {
    Asker* next = waiting.front();
    if (i % 2 == 0) {
      next = &Ask(b_);
    } else {
      waiting.pop_front();
    }
    clock_.Advance(absl::Seconds(1));
    running->Finish(20);
    ASSERT_TRUE(next->Runs()) << i;
    running = next;
  }
  const Asker& refused = Ask(a_);
  ASSERT_EQ(refused.Code(), "overloaded");
  // Eleven turns, of which half are those of the other tenant: of 20 to 24 s.
  EXPECT_GE(refused.RetryAfter(), absl::Seconds(17));
  EXPECT_LE(refused.RetryAfter(), absl::Seconds(20.4));
}

}  // namespace
}  // namespace mesh::gateway
