// SPDX-License-Identifier: Apache-2.0
// What strangers and broken peers may send, each followed by a good exchange.
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "tests/router/transport/raw_ucx_peer.h"
#include "tests/router/transport/ucx_ends.h"

namespace mesh::router {
namespace {

class UcxAbuseTest : public UcxEnds {
 protected:
  void SendRaw(std::span<const std::byte> header,
               std::span<const std::byte> payload) {
    raw_.Send(header, payload, [&] { PollOnce(); });
  }
  void SendRaw(const LinkMessage& message) {
    raw_.Send(message, [&] { PollOnce(); });
  }
  bool DroppedBecomes(uint64_t count) {
    return PollUntil([&] {
      raw_.Progress();
      return b_.transport->Stats().messages_dropped == count;
    });
  }
  bool RejectedBecomes(uint64_t count) {
    return PollUntil([&] {
      raw_.Progress();
      return b_.transport->Stats().hellos_rejected == count;
    });
  }

  // The dialer's end of an offer of b.
  LinkSession Dial(const LinkOffer& offer) {
    Secret token;
    std::memcpy(token.data(), offer.token.data(), token.size());
    return LinkSession::Dial(offer.link_id, token, TestNonce(1));
  }
  LinkOffer OfferOfB() { return *b_.acceptor->Offer("raw", raw_.Address()); }
  static LinkMessage HelloOf(LinkSession& session) {
    return Seal(session, LinkKind::kHello, BytesOf(TestNonce(1)));
  }

  // A link from the raw peer to b, open at b.
  LinkSession OpenLink() {
    raw_.Connect(b_.local_address);
    LinkSession session = Dial(OfferOfB());
    SendRaw(HelloOf(session));
    EXPECT_TRUE(
        PollUntil([&] { return b_.transport->Stats().num_links == 1; }));
    return session;
  }

  RawUcxPeer raw_;
};

TEST_F(UcxAbuseTest, BytesBeforeAHelloNeverArrive) {
  raw_.Connect(b_.local_address);
  uint64_t num_sent = 0;
  for (const size_t size : {0, 1, 47, 71, 72, 73, 500}) {
    const std::vector<std::byte> junk(size, std::byte{0x5a});
    SendRaw(junk, junk);
    SendRaw(junk, {});
    num_sent += 2;
  }
  // Well formed, of a link that does not exist, small and large.
  MacKey key(TestToken(1));
  for (const size_t size : {1, 10000, 3000000}) {
    const std::vector<std::byte> payload(size, std::byte{1});
    SendRaw(
        {SealHeader({.link_id = 42, .sequence = 1}, payload, key), payload});
    ++num_sent;
  }
  EXPECT_TRUE(DroppedBecomes(num_sent));
  EXPECT_TRUE(b_inbox_.texts.empty());
  EXPECT_EQ(b_.transport->Stats().num_links, 0);
  ExpectGoodExchange();
}

TEST_F(UcxAbuseTest, MessagesOfOtherNumbersNeverArrive) {
  raw_.Connect(b_.local_address);
  const std::vector<std::byte> payload(100);
  const std::vector<unsigned> am_ids = {0, 1, 76, 78, 1000, 32768, 65535};
  for (const unsigned am_id : am_ids) {
    raw_.Send(
        payload, payload, [&] { PollOnce(); }, am_id);
    const std::vector<std::byte> large(1000000);
    raw_.Send(
        payload, large, [&] { PollOnce(); }, am_id);
  }
  EXPECT_TRUE(DroppedBecomes(2 * am_ids.size()));
  EXPECT_TRUE(b_inbox_.texts.empty());
  ExpectGoodExchange();
}

TEST_F(UcxAbuseTest, HellosAreGoodOnceAndInTime) {
  raw_.Connect(b_.local_address);
  LinkOffer wrong = OfferOfB();
  wrong.token[31] = static_cast<char>(wrong.token[31] ^ 1);
  LinkSession with_wrong_token = Dial(wrong);
  SendRaw(HelloOf(with_wrong_token));
  EXPECT_TRUE(RejectedBecomes(1));

  const LinkOffer offer = OfferOfB();
  LinkSession session = Dial(offer);
  const LinkMessage hello = HelloOf(session);
  SendRaw(hello);
  ASSERT_TRUE(PollUntil([&] { return b_.transport->Stats().num_links == 1; }));
  SendRaw(hello);
  EXPECT_TRUE(RejectedBecomes(2));
  LinkSession again = Dial(offer);
  SendRaw(HelloOf(again));
  EXPECT_TRUE(RejectedBecomes(3));

  LinkSession late = Dial(OfferOfB());
  clock_.Advance(UcxOptions().token_lifetime);
  SendRaw(HelloOf(late));
  EXPECT_TRUE(RejectedBecomes(4));
  // As a rendezvous, which a hello never is.
  SendRaw({hello.header, std::vector<std::byte>(1000000)});
  EXPECT_TRUE(DroppedBecomes(1));
  EXPECT_EQ(b_.transport->Stats().num_links, 1);
  ExpectGoodExchange();
}

TEST_F(UcxAbuseTest, ReplayedAndFlippedMessagesAreDropped) {
  LinkSession session = OpenLink();
  const LinkMessage frame = Seal(session, LinkKind::kFrame, BytesOf("one"));
  SendRaw(frame);
  SendRaw(frame);
  EXPECT_TRUE(DroppedBecomes(1));
  EXPECT_EQ(b_inbox_.texts, std::vector<std::string>{"one"});
  LinkMessage flipped = Seal(session, LinkKind::kFrame, BytesOf("two"));
  flipped.header[kLinkMacAt + 3] ^= std::byte{4};
  SendRaw(flipped);
  LinkMessage changed = Seal(session, LinkKind::kFrame, BytesOf("two"));
  changed.payload[0] ^= std::byte{1};
  SendRaw(changed);
  // The same for a payload that arrives by rendezvous.
  const std::vector<std::byte> large(2000000, std::byte{3});
  LinkMessage changed_large = Seal(session, LinkKind::kFrame, large);
  changed_large.payload[0] ^= std::byte{1};
  SendRaw(changed_large);
  EXPECT_TRUE(DroppedBecomes(4));
  const LinkMessage whole = Seal(session, LinkKind::kFrame, large);
  SendRaw(whole);
  SendRaw(whole);
  EXPECT_TRUE(DroppedBecomes(5));
  EXPECT_EQ(b_inbox_.texts.size(), 2U);
  ExpectGoodExchange();
}

TEST_F(UcxAbuseTest, WrongLengthsAndKindsAreDropped) {
  LinkSession session = OpenLink();
  SendRaw(Seal(session, LinkKind::kFrame, {}));
  const std::vector<std::byte> too_long(b_.transport->MaxFrameBytes() + 1);
  SendRaw(Seal(session, LinkKind::kFrame, too_long));
  EXPECT_TRUE(DroppedBecomes(2));
  LinkMessage shorter = Seal(session, LinkKind::kFrame, BytesOf("four"));
  shorter.payload.pop_back();
  SendRaw(shorter);
  LinkMessage longer = Seal(session, LinkKind::kFrame, BytesOf("four"));
  longer.payload.push_back(std::byte{0});
  SendRaw(longer);
  LinkMessage short_header = Seal(session, LinkKind::kFrame, BytesOf("four"));
  SendRaw(std::span(short_header.header).first(kLinkHeaderBytes - 1),
          short_header.payload);
  EXPECT_TRUE(DroppedBecomes(5));
  // An ack, which only the acceptor sends.
  MacKey key(TestToken(1));
  SendRaw(
      {SealHeader({.kind = LinkKind::kHelloAck, .link_id = session.LinkId()},
                  TestNonce(1), key),
       BytesOf(TestNonce(1))});
  EXPECT_TRUE(DroppedBecomes(6));
  EXPECT_TRUE(b_inbox_.texts.empty());
  EXPECT_TRUE(b_inbox_.lost.empty());
  SendRaw(Seal(session, LinkKind::kFrame, BytesOf("good")));
  EXPECT_TRUE(PollUntil([&] { return !b_inbox_.texts.empty(); }));
  ExpectGoodExchange();
}

TEST_F(UcxAbuseTest, SixteenBadMessagesInTenSecondsCloseTheLink) {
  LinkSession session = OpenLink();
  const LinkMessage frame = Seal(session, LinkKind::kFrame, BytesOf("one"));
  SendRaw(frame);
  for (int i = 0; i < 15; ++i) SendRaw(frame);
  EXPECT_TRUE(DroppedBecomes(15));
  clock_.Advance(absl::Seconds(11));
  for (int i = 0; i < 15; ++i) SendRaw(frame);
  EXPECT_TRUE(DroppedBecomes(30));
  EXPECT_TRUE(b_inbox_.lost.empty());
  SendRaw(frame);
  EXPECT_TRUE(PollUntil([&] { return b_inbox_.lost.size() == 1; }));
  EXPECT_EQ(b_.transport->Stats().num_links, 0);
  ExpectGoodExchange();
}

}  // namespace
}  // namespace mesh::router
