// SPDX-License-Identifier: Apache-2.0
#include "router/transport/link_protocol.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/router/transport/link_messages.h"
#include "tests/support/status_matchers.h"

namespace mesh::router {
namespace {

const LinkHeader kHeader{.kind = LinkKind::kPing,
                         .direction = LinkDirection::kToDialer,
                         .link_id = 0x1122334455667788,
                         .sequence = 99,
                         .cookie = 12345,
                         .length = 5};

TEST(LinkCrypto, AgreesWithPublishedVectors) {
  // RFC 4231, test case 2, whose key "Jefe" is filled up with zeros, which
  // HMAC does by itself.
  Secret key = {};
  const auto jefe = BytesOf("Jefe");
  std::copy(jefe.begin(), jefe.end(), key.begin());
  MacKey mac(key);
  const auto message = BytesOf("what do ya want for nothing?");
  for (int i = 0; i < 2; ++i) {
    const Secret tag = mac.Mac(message);
    EXPECT_EQ(tag[0], std::byte{0x5b});
    EXPECT_EQ(tag[1], std::byte{0xdc});
    EXPECT_EQ(tag[31], std::byte{0x43});
  }
  // FIPS 180-2, appendix B.1.
  const Sha256Digest digest = Sha256(BytesOf("abc"));
  EXPECT_EQ(digest[0], std::byte{0xba});
  EXPECT_EQ(digest[31], std::byte{0xad});
}

TEST(LinkCrypto, ComparesWholeSpans) {
  const auto a = BytesOf("abc");
  EXPECT_TRUE(EqualInConstantTime(a, BytesOf("abc")));
  EXPECT_FALSE(EqualInConstantTime(a, BytesOf("abd")));
  EXPECT_FALSE(EqualInConstantTime(a, BytesOf("abcd")));
}

TEST(LinkProtocol, DecodesWhatItSeals) {
  MacKey key(TestToken(3));
  const auto payload = BytesOf("hello");
  const LinkHeaderBytes bytes = SealHeader(kHeader, payload, key);
  const auto header = DecodeLinkHeader(bytes);
  ASSERT_OK(header);
  EXPECT_EQ(*header, kHeader);
  EXPECT_TRUE(HeaderIsGenuine(bytes, key));
  EXPECT_TRUE(PayloadBelongs(bytes, payload));
  EXPECT_FALSE(PayloadBelongs(bytes, BytesOf("hellp")));
}

TEST(LinkProtocol, NoticesEveryFlippedBit) {
  MacKey key(TestToken(3));
  const std::vector<std::byte> payload(200, std::byte{7});
  const LinkHeaderBytes sealed = SealHeader(kHeader, payload, key);
  for (size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    LinkHeaderBytes flipped = sealed;
    flipped[bit / 8] ^= std::byte{1} << (bit % 8);
    EXPECT_FALSE(HeaderIsGenuine(flipped, key)) << bit;
  }
  for (size_t i = 0; i < kDigestedBytes; ++i) {
    std::vector<std::byte> changed = payload;
    changed[i] = std::byte{8};
    EXPECT_FALSE(PayloadBelongs(sealed, changed)) << i;
  }
}

TEST(LinkProtocol, RefusesAnythingThatIsNotAMessage) {
  MacKey key(TestToken(3));
  const LinkHeaderBytes sealed = SealHeader(kHeader, {}, key);
  const std::span<const std::byte> bytes(sealed);
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_THAT(DecodeLinkHeader(bytes.first(size)),
                StatusIs(absl::StatusCode::kInvalidArgument));
  }
  std::vector<std::byte> longer = BytesOf(bytes);
  longer.push_back(std::byte{0});
  EXPECT_FALSE(DecodeLinkHeader(longer).ok());
  for (const size_t at : {kLinkMagicAt, kLinkVersionAt, kLinkZeroAt}) {
    LinkHeaderBytes wrong = sealed;
    wrong[at] ^= std::byte{2};
    EXPECT_FALSE(DecodeLinkHeader(wrong).ok()) << at;
  }
  for (const int kind : {0, 6, 255}) {
    LinkHeaderBytes wrong = sealed;
    wrong[kLinkKindAt] = static_cast<std::byte>(kind);
    EXPECT_FALSE(DecodeLinkHeader(wrong).ok()) << kind;
  }
  LinkHeaderBytes wrong = sealed;
  wrong[kLinkDirectionAt] = std::byte{2};
  EXPECT_FALSE(DecodeLinkHeader(wrong).ok());
}

TEST(LinkProtocol, OnlyPingsHaveCookies) {
  MacKey key(TestToken(3));
  LinkHeader header = kHeader;
  header.kind = LinkKind::kFrame;
  EXPECT_FALSE(DecodeLinkHeader(SealHeader(header, {}, key)).ok());
  header.cookie = 0;
  EXPECT_OK(DecodeLinkHeader(SealHeader(header, {}, key)));
}

}  // namespace
}  // namespace mesh::router
