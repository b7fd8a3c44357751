// SPDX-License-Identifier: Apache-2.0
#include "tests/router/transport_contract.h"

#include <algorithm>
#include <cstring>
#include <thread>
#include <utility>

namespace mesh::router {

TEST_P(TransportContract, CarriesWholeFramesBothWays) {
  const auto to_b = a_->Connect("b");
  ASSERT_OK(to_b);
  ASSERT_OK(SendText(*a_, *to_b, "dispatch"));
  Inbox b_inbox;
  PollUntil(*b_, b_inbox, *a_, 1);
  EXPECT_EQ(b_inbox.texts, std::vector<std::string>{"dispatch"});
  ASSERT_OK(SendText(*b_, b_inbox.senders[0], "combine"));
  Inbox a_inbox;
  PollUntil(*a_, a_inbox, *b_, 1);
  EXPECT_EQ(a_inbox.texts, std::vector<std::string>{"combine"});
  EXPECT_EQ(a_inbox.senders[0], *to_b);
  EXPECT_TRUE(a_inbox.aligned && b_inbox.aligned);
}

TEST_P(TransportContract, CarriesTheSmallestAndTheLargestFrame) {
  const auto to_b = a_->Connect("b");
  ASSERT_OK(to_b);
  std::string large(a_->MaxFrameBytes(), 'x');
  for (size_t i = 0; i < large.size(); ++i)
    large[i] = static_cast<char>(i % 251);
  ASSERT_OK(SendText(*a_, *to_b, "1"));
  ASSERT_OK(SendText(*a_, *to_b, large));
  Inbox inbox;
  PollUntil(*b_, inbox, *a_, 2);
  std::sort(inbox.texts.begin(), inbox.texts.end(),
            [](const auto& x, const auto& y) { return x.size() < y.size(); });
  EXPECT_EQ(inbox.texts[0], "1");
  EXPECT_TRUE(inbox.texts[1] == large);
}

TEST_P(TransportContract, DeliversEachOfManyFramesOnce) {
  const auto to_b = a_->Connect("b");
  ASSERT_OK(to_b);
  std::vector<std::string> sent;
  for (int i = 0; i < 100; ++i) {
    sent.push_back("frame " + std::to_string(i));
    ASSERT_OK(SendText(*a_, *to_b, sent.back()));
  }
  Inbox inbox;
  PollUntil(*b_, inbox, *a_, sent.size());
  Inbox more;
  EXPECT_EQ(b_->Poll(more), 0);
  std::sort(inbox.texts.begin(), inbox.texts.end());
  std::sort(sent.begin(), sent.end());
  EXPECT_EQ(inbox.texts, sent);
}

TEST_P(TransportContract, TellsPeersApart) {
  const auto c = network_->CreateEndpoint("c");
  const auto a_to_c = a_->Connect("c");
  const auto b_to_c = b_->Connect("c");
  ASSERT_OK(a_to_c);
  ASSERT_OK(b_to_c);
  ASSERT_OK(SendText(*a_, *a_to_c, "from a"));
  ASSERT_OK(SendText(*b_, *b_to_c, "from b"));
  Inbox inbox;
  Inbox ignored;
  EXPECT_TRUE(PollUntilTrue(*c, inbox, *a_, [&] {
    b_->Poll(ignored);
    return inbox.texts.size() >= 2;
  }));
  ASSERT_EQ(inbox.senders.size(), 2U);
  EXPECT_NE(inbox.senders[0], inbox.senders[1]);
}

TEST_P(TransportContract, UsesAnOpenLinkAgain) {
  const auto first = a_->Connect("b");
  const auto second = a_->Connect("b");
  ASSERT_OK(first);
  ASSERT_OK(second);
  EXPECT_EQ(*first, *second);
}

TEST_P(TransportContract, RefusesWrongSizesPeersAndAddresses) {
  EXPECT_THAT(a_->Allocate(0), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(a_->Allocate(a_->MaxFrameBytes() + 1),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(SendText(*a_, PeerId{12345}, "x"),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(a_->Connect(network_->DeadAddress()),
              StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(a_->Connect(""), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_P(TransportContract, SaysOnceThatAPeerIsLost) {
  const auto to_b = a_->Connect("b");
  ASSERT_OK(to_b);
  b_ = nullptr;
  Inbox inbox;
  const absl::Time deadline = absl::Now() + absl::Seconds(20);
  while (inbox.lost.empty() && absl::Now() < deadline) {
    a_->Wait(absl::Milliseconds(1));
    a_->Poll(inbox);
  }
  EXPECT_EQ(inbox.lost, std::vector<PeerId>{*to_b});
  EXPECT_THAT(SendText(*a_, *to_b, "x"),
              StatusIs(absl::StatusCode::kUnavailable));
  a_->Poll(inbox);
  EXPECT_EQ(inbox.lost.size(), 1U);

  // A new node at the old address is a new peer.
  b_ = network_->CreateEndpoint("b");
  const auto again = a_->Connect("b");
  ASSERT_OK(again);
  EXPECT_NE(*again, *to_b);
  EXPECT_OK(SendText(*a_, *again, "x"));
}

TEST_P(TransportContract, KeepsAReceivedFrameAsLongAsItsOwner) {
  const auto to_b = a_->Connect("b");
  ASSERT_OK(to_b);
  ASSERT_OK(SendText(*a_, *to_b, "first"));
  Inbox inbox;
  PollUntil(*b_, inbox, *a_, 1);
  ASSERT_OK(SendText(*a_, *to_b, "other"));
  Inbox later;
  PollUntil(*b_, later, *a_, 1);
  EXPECT_EQ(std::memcmp(inbox.frames[0]->Bytes().data(), "first", 5), 0);
}

TEST_P(TransportContract, EchoesPings) {
  const auto to_b = a_->Connect("b");
  ASSERT_OK(to_b);
  ASSERT_OK(a_->Ping(*to_b, 77, 1000));
  Inbox inbox;
  ASSERT_TRUE(
      PollUntilTrue(*a_, inbox, *b_, [&] { return !inbox.pongs.empty(); }));
  EXPECT_EQ(inbox.pongs.size(), 1U);
  EXPECT_EQ(inbox.pongs[0], std::make_pair(*to_b, uint64_t{77}));
  EXPECT_TRUE(inbox.texts.empty());
  EXPECT_THAT(a_->Ping(*to_b, 1, a_->MaxFrameBytes() + 1),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_P(TransportContract, CountsWhatItMoves) {
  EXPECT_EQ(a_->Stats().lane, "");
  const auto to_b = a_->Connect("b");
  ASSERT_OK(to_b);
  ASSERT_OK(SendText(*a_, *to_b, "12345"));
  Inbox inbox;
  PollUntil(*b_, inbox, *a_, 1);
  ASSERT_OK(a_->Ping(*to_b, 1, 100));
  ASSERT_TRUE(
      PollUntilTrue(*a_, inbox, *b_, [&] { return !inbox.pongs.empty(); }));
  const TransportStats a = a_->Stats();
  const TransportStats b = b_->Stats();
  EXPECT_EQ(a.frames_sent, 1U);
  EXPECT_EQ(a.bytes_sent, 105U);
  EXPECT_EQ(a.bytes_received, 100U);
  EXPECT_EQ(b.frames_received, 1U);
  EXPECT_EQ(b.bytes_received, 105U);
  EXPECT_EQ(b.bytes_sent, 100U);
  EXPECT_EQ(a.num_links, 1);
  EXPECT_EQ(b.num_links, 1);
  EXPECT_NE(a.lane, "");
  EXPECT_EQ(a.lane, b.lane);
  EXPECT_EQ(a.hellos_rejected + a.messages_dropped, 0U);
  EXPECT_EQ(b.hellos_rejected + b.messages_dropped, 0U);
}

TEST_P(TransportContract, WaitsUntilWokenOrTheTimeIsOver) {
  const absl::Time start = absl::Now();
  a_->Wait(absl::Milliseconds(20));
  EXPECT_LT(absl::Now() - start, absl::Seconds(10));
  // Also by a wake that came before.
  a_->Wake();
  a_->Wait(absl::Hours(1));
  std::thread other([&] { a_->Wake(); });
  a_->Wait(absl::Hours(1));
  other.join();
}

TEST_P(TransportContract, WaitEndsWhenAFrameIsThere) {
  const auto to_b = a_->Connect("b");
  ASSERT_OK(to_b);
  ASSERT_OK(SendText(*a_, *to_b, "first"));
  Inbox inbox;
  PollUntil(*b_, inbox, *a_, 1);
  ASSERT_OK(SendText(*a_, *to_b, "second"));
  const absl::Time start = absl::Now();
  while (inbox.texts.size() < 2) {
    b_->Wait(absl::Hours(1));
    b_->Poll(inbox);
  }
  EXPECT_LT(absl::Now() - start, absl::Minutes(1));
}

}  // namespace mesh::router
