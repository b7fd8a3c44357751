// SPDX-License-Identifier: Apache-2.0
#include "router/transport/link_session.h"

#include <gtest/gtest.h>

#include "tests/router/transport/link_messages.h"
#include "tests/support/status_matchers.h"

namespace mesh::router {
namespace {

LinkMessage HelloWith(const Secret& token, uint64_t link_id = 5) {
  LinkSession dialer = LinkSession::Dial(link_id, token, TestNonce(1));
  return Seal(dialer, LinkKind::kHello, BytesOf(TestNonce(1)));
}

absl::Status Accept(const LinkMessage& hello) {
  return LinkSession::Accept(TestToken(1), TestNonce(2), hello.header,
                             hello.payload)
      .status();
}

TEST(LinkSession, BothEndsAdmitEachOther) {
  LinkPair pair;
  ASSERT_OK(pair.acceptor);
  ASSERT_OK(pair.opened);
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(MayEnter(*pair.acceptor,
                         Seal(pair.dialer, LinkKind::kFrame, BytesOf("x"))));
    EXPECT_TRUE(MayEnter(pair.dialer,
                         Seal(*pair.acceptor, LinkKind::kFrame, BytesOf("y"))));
  }
}

TEST(LinkSession, TheDialerMaySendBeforeTheAck) {
  LinkSession dialer = LinkSession::Dial(5, TestToken(1), TestNonce(1));
  const LinkMessage hello =
      Seal(dialer, LinkKind::kHello, BytesOf(TestNonce(1)));
  const LinkMessage frame = Seal(dialer, LinkKind::kFrame, BytesOf("early"));
  auto acceptor = LinkSession::Accept(TestToken(1), TestNonce(2), hello.header,
                                      hello.payload);
  ASSERT_OK(acceptor);
  EXPECT_TRUE(MayEnter(*acceptor, frame));
}

TEST(LinkSession, RefusesAHelloOfAnotherTokenOrShape) {
  EXPECT_OK(Accept(HelloWith(TestToken(1))));
  EXPECT_THAT(Accept(HelloWith(TestToken(2))),
              StatusIs(absl::StatusCode::kPermissionDenied));
  LinkMessage hello = HelloWith(TestToken(1));
  hello.payload[0] ^= std::byte{1};
  EXPECT_FALSE(Accept(hello).ok());
  hello = HelloWith(TestToken(1));
  hello.payload.push_back(std::byte{0});
  EXPECT_FALSE(Accept(hello).ok());
  for (size_t at = 0; at < kLinkHeaderBytes; ++at) {
    LinkMessage flipped = HelloWith(TestToken(1));
    flipped.header[at] ^= std::byte{1};
    EXPECT_FALSE(Accept(flipped).ok()) << at;
  }
}

TEST(LinkSession, TheDialerAdmitsNothingBeforeAGenuineAck) {
  LinkPair pair;
  LinkSession dialer =
      LinkSession::Dial(LinkPair::kLinkId, pair.token, pair.dialer_nonce);
  const LinkMessage frame =
      Seal(*pair.acceptor, LinkKind::kFrame, BytesOf("y"));
  EXPECT_FALSE(dialer.IsOpen());
  EXPECT_THAT(dialer.Admit(*DecodeLinkHeader(frame.header), frame.header),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  // The answer to the hello of somebody else.
  auto other = LinkSession::Accept(TestToken(1), TestNonce(9),
                                   HelloWith(TestToken(1)).header,
                                   HelloWith(TestToken(1)).payload);
  const LinkMessage ack =
      Seal(*other, LinkKind::kHelloAck, BytesOf(TestNonce(9)));
  EXPECT_THAT(dialer.TakeAck(ack.header, ack.payload),
              StatusIs(absl::StatusCode::kPermissionDenied));
  EXPECT_FALSE(dialer.IsOpen());
  EXPECT_THAT(pair.dialer.TakeAck(ack.header, ack.payload),
              StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST(LinkSession, RefusesReplayedReflectedAndForeignMessages) {
  LinkPair pair;
  const LinkMessage frame = Seal(pair.dialer, LinkKind::kFrame, BytesOf("x"));
  EXPECT_FALSE(MayEnter(pair.dialer, frame));  // its own
  EXPECT_TRUE(MayEnter(*pair.acceptor, frame));
  EXPECT_FALSE(MayEnter(*pair.acceptor, frame));
  LinkPair same_numbers;
  same_numbers.token = TestToken(50);
  LinkSession other = LinkSession::Dial(LinkPair::kLinkId, same_numbers.token,
                                        pair.dialer_nonce);
  EXPECT_FALSE(
      MayEnter(*pair.acceptor, Seal(other, LinkKind::kFrame, BytesOf("x"))));
}

TEST(LinkSession, AForgedMessageUsesUpNoSequenceNumber) {
  LinkPair pair;
  const LinkMessage frame = Seal(pair.dialer, LinkKind::kFrame, BytesOf("x"));
  LinkMessage forged = frame;
  forged.header[kLinkMacAt] ^= std::byte{1};
  EXPECT_FALSE(MayEnter(*pair.acceptor, forged));
  EXPECT_TRUE(MayEnter(*pair.acceptor, frame));
}

TEST(LinkSession, AdmitsMessagesOutOfOrder) {
  LinkPair pair;
  std::vector<LinkMessage> frames;
  for (int i = 0; i < 100; ++i) {
    frames.push_back(Seal(pair.dialer, LinkKind::kFrame, BytesOf("x")));
  }
  for (int i = 99; i >= 0; --i) {
    EXPECT_TRUE(MayEnter(*pair.acceptor, frames[static_cast<size_t>(i)]));
  }
}

}  // namespace
}  // namespace mesh::router
