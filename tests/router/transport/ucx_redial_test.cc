// SPDX-License-Identifier: Apache-2.0
// Links that are opened anew between the same two workers, after the first
// stopped at any point of its beginning. Large frames: what is wrong with an
// endpoint shows in them only.
#include <gtest/gtest.h>

#include <string>

#include "tests/router/transport/ucx_ends.h"

namespace mesh::router {
namespace {

class UcxRedialTest : public UcxEnds, public testing::WithParamInterface<int> {
 protected:
  void ExpectLargeExchange(PeerId to_b) {
    const std::string question(100000, 'q');
    const std::string answer(100000, 'a');
    ASSERT_OK(SendText(a_, to_b, question));
    ASSERT_TRUE(PollUntil([&] {
      return !b_inbox_.texts.empty() && b_inbox_.texts.back() == question;
    }));
    ASSERT_OK(SendText(b_, b_inbox_.senders.back(), answer));
    ASSERT_TRUE(PollUntil([&] {
      return !a_inbox_.texts.empty() && a_inbox_.texts.back() == answer;
    }));
    EXPECT_EQ(a_inbox_.senders.back(), to_b);
  }

  void PollInTurns(int num_polls) {
    for (int i = 0; i < num_polls; ++i) {
      UcxEnd& end = i % 2 == 0 ? a_ : b_;
      end.transport->Poll(i % 2 == 0 ? a_inbox_ : b_inbox_);
    }
  }
};

TEST_P(UcxRedialTest, AHelloThatIsAnsweredTooLate) {
  for (int round = 0; round < 3; ++round) {
    ASSERT_OK(Dial(a_, b_));
    PollInTurns(GetParam());
    clock_.Advance(UcxOptions().hello_timeout);
    a_.transport->Poll(a_inbox_);
    // The other end goes on with what has reached it.
    const absl::Time until = absl::Now() + absl::Milliseconds(20);
    while (absl::Now() < until) b_.transport->Poll(b_inbox_);
  }
  const auto to_b = Dial(a_, b_);
  ASSERT_OK(to_b);
  ExpectLargeExchange(*to_b);
  // What is left of the first links goes when a new one takes their place.
  EXPECT_TRUE(PollUntil([&] { return b_.transport->Stats().num_links == 1; }));
  EXPECT_EQ(a_.transport->Stats().num_links, 1);
}

INSTANTIATE_TEST_SUITE_P(StoppedAfterPolls, UcxRedialTest,
                         testing::Range(0, 20));

TEST_F(UcxRedialTest, AnEndThatStoodStillWhileItWasDialed) {
  const auto first = Dial(a_, b_);
  ASSERT_OK(first);
  PollInTurns(2);
  // Only the wire-up gets through: a, which has the hello, stands still.
  const absl::Time until = absl::Now() + absl::Milliseconds(100);
  while (absl::Now() < until) b_.transport->Poll(b_inbox_);
  clock_.Advance(UcxOptions().hello_timeout);
  ASSERT_TRUE(PollUntil([&] { return !a_inbox_.lost.empty(); }));
  const auto second = Dial(a_, b_);
  ASSERT_OK(second);
  ExpectLargeExchange(*second);
}

}  // namespace
}  // namespace mesh::router
