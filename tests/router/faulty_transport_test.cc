// SPDX-License-Identifier: Apache-2.0
#include "router/transport/faulty_transport.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>

#include "router/transport/in_process_transport.h"
#include "tests/router/transport_contract.h"
#include "tests/support/status_matchers.h"

namespace mesh::router {
namespace {

class Faulty : public ::testing::Test {
 protected:
  // Sends the numbers 0 to 99, lets 20 ms pass in steps; what arrives.
  std::vector<std::string> Run(const FaultPlan& plan, uint64_t seed) {
    InProcessNetwork network;
    FakeClock clock;
    const auto a = *network.CreateEndpoint("a");
    const auto b = *network.CreateEndpoint("b");
    FaultyTransport faulty(*a, clock, plan, seed);
    const PeerId to = *faulty.Connect("b");
    for (int i = 0; i < 100; ++i) {
      const std::string text = std::to_string(i);
      Frame frame = *faulty.Allocate(text.size());
      std::memcpy(frame->Bytes().data(), text.data(), text.size());
      EXPECT_OK(faulty.Send(to, std::move(frame)));
    }
    Inbox own;
    Inbox inbox;
    for (int ms = 0; ms <= 20; ++ms) {
      faulty.Poll(own);
      b->Poll(inbox);
      clock.Advance(absl::Milliseconds(1));
    }
    faults_ = faulty.NumFaults();
    return inbox.texts;
  }

  static std::vector<std::string> Numbers() {
    std::vector<std::string> numbers;
    for (int i = 0; i < 100; ++i) numbers.push_back(std::to_string(i));
    return numbers;
  }
  static std::vector<std::string> Sorted(std::vector<std::string> texts) {
    std::sort(texts.begin(), texts.end());
    return texts;
  }

  int64_t faults_ = 0;
};

TEST_F(Faulty, DropsAboutAsManyAsAsked) {
  const auto texts = Run({.drop = 0.3}, 1);
  EXPECT_EQ(static_cast<int64_t>(texts.size()), 100 - faults_);
  EXPECT_GT(faults_, 15);
  EXPECT_LT(faults_, 45);
}

TEST_F(Faulty, Duplicates) {
  const auto texts = Run({.duplicate = 1}, 1);
  EXPECT_EQ(texts.size(), 200U);
}

TEST_F(Faulty, DelaysAndReordersButLosesNothing) {
  for (const FaultPlan& plan :
       {FaultPlan{.reorder = true}, FaultPlan{.delay = 0.5}}) {
    const auto texts = Run(plan, 3);
    EXPECT_NE(texts, Numbers());
    EXPECT_EQ(Sorted(texts), Sorted(Numbers()));
  }
}

TEST_F(Faulty, FlipsOneBit) {
  const auto texts = Run({.corrupt = 1}, 1);
  ASSERT_EQ(texts.size(), 100U);
  for (int i = 0; i < 100; ++i) {
    const std::string sent = std::to_string(i);
    int num_bits = 0;
    for (size_t c = 0; c < sent.size(); ++c) {
      num_bits += std::popcount(
          static_cast<uint8_t>(sent[c] ^ texts[static_cast<size_t>(i)][c]));
    }
    EXPECT_EQ(num_bits, 1);
  }
}

TEST_F(Faulty, RepeatsItselfWithTheSameSeedOnly) {
  const FaultPlan plan{
      .drop = 0.2, .duplicate = 0.2, .delay = 0.5, .reorder = true};
  EXPECT_EQ(Run(plan, 7), Run(plan, 7));
  EXPECT_NE(Run(plan, 7), Run(plan, 8));
}

TEST_F(Faulty, SilencesAndLosesPeers) {
  InProcessNetwork network;
  FakeClock clock;
  const auto a = *network.CreateEndpoint("a");
  const auto b = *network.CreateEndpoint("b");
  FaultyTransport faulty(*a, clock, {}, 1);
  const PeerId to_b = *faulty.Connect("b");
  const PeerId to_a = *b->Connect("a");
  const auto both_ways = [&] {
    Inbox a_inbox;
    Inbox b_inbox;
    EXPECT_OK(faulty.Send(to_b, *faulty.Allocate(1)));
    EXPECT_OK(b->Send(to_a, *b->Allocate(1)));
    b->Poll(b_inbox);
    faulty.Poll(a_inbox);
    return a_inbox.texts.size() + b_inbox.texts.size();
  };
  EXPECT_EQ(both_ways(), 2U);
  faulty.Silence(to_b);
  EXPECT_EQ(both_ways(), 0U);
  faulty.Restore(to_b);
  EXPECT_EQ(both_ways(), 2U);

  faulty.LosePeer(to_b);
  Inbox inbox;
  faulty.Poll(inbox);
  faulty.Poll(inbox);
  EXPECT_EQ(inbox.lost, std::vector<PeerId>{to_b});
  EXPECT_THAT(faulty.Send(to_b, *faulty.Allocate(1)),
              StatusIs(absl::StatusCode::kUnavailable));
}

TEST_F(Faulty, WaitEndsWhenADelayedFrameIsDue) {
  InProcessNetwork network;
  const RealClock clock;
  const auto a = *network.CreateEndpoint("a");
  const auto b = *network.CreateEndpoint("b");
  FaultyTransport faulty(*a, clock,
                         {.delay = 1, .max_delay = absl::Milliseconds(20)}, 1);
  const PeerId to = *faulty.Connect("b");
  ASSERT_OK(faulty.Send(to, *faulty.Allocate(1)));
  Inbox own;
  Inbox inbox;
  const absl::Time start = absl::Now();
  while (inbox.texts.empty() && absl::Now() - start < absl::Minutes(1)) {
    // Wake() by nobody: only the delay can end it.
    faulty.Wait(absl::Hours(1));
    faulty.Poll(own);
    b->Poll(inbox);
  }
  EXPECT_EQ(inbox.texts.size(), 1U);
}

TEST_F(Faulty, PingsFeelSilenceAndLoss) {
  InProcessNetwork network;
  FakeClock clock;
  const auto a = *network.CreateEndpoint("a");
  const auto b = *network.CreateEndpoint("b");
  FaultyTransport faulty(*a, clock, {}, 1);
  const PeerId to = *faulty.Connect("b");
  Inbox own;
  Inbox other;
  const auto echo = [&] {
    b->Poll(other);
    faulty.Poll(own);
    return own.pongs.size();
  };
  ASSERT_OK(faulty.Ping(to, 1, 8));
  EXPECT_EQ(echo(), 1U);
  // Sent before the silence, answered in it.
  ASSERT_OK(faulty.Ping(to, 2, 8));
  faulty.Silence(to);
  EXPECT_EQ(echo(), 1U);
  ASSERT_OK(faulty.Ping(to, 3, 8));
  faulty.Restore(to);
  EXPECT_EQ(echo(), 1U);
  faulty.LosePeer(to);
  EXPECT_THAT(faulty.Ping(to, 4, 8), StatusIs(absl::StatusCode::kUnavailable));
}

}  // namespace
}  // namespace mesh::router
