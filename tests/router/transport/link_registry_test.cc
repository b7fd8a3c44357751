// SPDX-License-Identifier: Apache-2.0
#include "router/transport/link_registry.h"

#include <gtest/gtest.h>

#include <cstring>
#include <set>
#include <thread>
#include <vector>

#include "router/transport/link_address.h"
#include "tests/router/transport/link_messages.h"
#include "tests/support/status_matchers.h"

namespace mesh::router {
namespace {

LinkMessage HelloFor(const LinkOffer& offer) {
  Secret token;
  std::memcpy(token.data(), offer.token.data(), token.size());
  LinkSession dialer = LinkSession::Dial(offer.link_id, token, TestNonce(1));
  return Seal(dialer, LinkKind::kHello, BytesOf(TestNonce(1)));
}

class LinkRegistryTest : public ::testing::Test {
 protected:
  absl::StatusOr<LinkOffer> Offer() {
    return registry_.Offer("attention-0", WrapWorkerAddress("somewhere"));
  }
  absl::StatusOr<AcceptedLink> Accept(const LinkOffer& offer) {
    const LinkMessage hello = HelloFor(offer);
    return registry_.Accept(offer.link_id, hello.header, hello.payload);
  }

  FakeClock clock_;
  LinkRegistry registry_{{.local_address = "here",
                          .token_lifetime = absl::Seconds(10),
                          .max_links = 3},
                         clock_};
};

TEST_F(LinkRegistryTest, AHelloTakesItsOffer) {
  const auto offer = Offer();
  ASSERT_OK(offer);
  EXPECT_EQ(offer->address, "here");
  EXPECT_EQ(offer->token.size(), sizeof(Secret));
  const auto link = Accept(*offer);
  ASSERT_OK(link);
  EXPECT_EQ(link->caller, "attention-0");
  EXPECT_EQ(link->caller_address, "somewhere");
  EXPECT_EQ(link->session.LinkId(), offer->link_id);
}

TEST_F(LinkRegistryTest, ATokenIsGoodOnce) {
  const auto offer = Offer();
  ASSERT_OK(Accept(*offer));
  EXPECT_THAT(Accept(*offer), StatusIs(absl::StatusCode::kPermissionDenied));
}

TEST_F(LinkRegistryTest, AnOfferExpires) {
  const auto offer = Offer();
  clock_.Advance(absl::Seconds(10));
  EXPECT_THAT(Accept(*offer), StatusIs(absl::StatusCode::kPermissionDenied));
}

TEST_F(LinkRegistryTest, AForgedHelloCostsNobodyTheirOffer) {
  const auto offer = Offer();
  LinkOffer guess = *offer;
  guess.token[5] = static_cast<char>(guess.token[5] ^ 1);
  EXPECT_THAT(Accept(guess), StatusIs(absl::StatusCode::kPermissionDenied));
  EXPECT_OK(Accept(*offer));
}

TEST_F(LinkRegistryTest, OffersDiffer) {
  const auto first = Offer();
  const auto second = Offer();
  EXPECT_NE(first->link_id, second->link_id);
  EXPECT_NE(first->token, second->token);
}

TEST_F(LinkRegistryTest, BoundsOpenAndPendingLinks) {
  registry_.SetNumOpen(1);
  ASSERT_OK(Offer());
  ASSERT_OK(Offer());
  EXPECT_THAT(Offer(), StatusIs(absl::StatusCode::kResourceExhausted));
  clock_.Advance(absl::Seconds(11));
  EXPECT_OK(Offer());
}

TEST_F(LinkRegistryTest, RefusesAddressesOfAnotherKind) {
  EXPECT_THAT(registry_.Offer("x", "expert-0"),
              StatusIs(absl::StatusCode::kInvalidArgument));
  std::string damaged = WrapWorkerAddress("somewhere");
  damaged.back() = static_cast<char>(damaged.back() ^ 1);
  EXPECT_THAT(registry_.Offer("x", damaged),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(LinkRegistryTest, RefusesOnceItIsClosed) {
  const auto offer = Offer();
  registry_.Close();
  EXPECT_THAT(Offer(), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(Accept(*offer), StatusIs(absl::StatusCode::kPermissionDenied));
}

TEST(LinkRegistry, OffersFromManyThreads) {
  const RealClock clock;
  LinkRegistry registry({.local_address = "here",
                         .token_lifetime = absl::Seconds(10),
                         .max_links = 1000},
                        clock);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) {
        const auto offer = registry.Offer("x", WrapWorkerAddress("somewhere"));
        ASSERT_OK(offer);
        const LinkMessage hello = HelloFor(*offer);
        EXPECT_OK(registry.Accept(offer->link_id, hello.header, hello.payload));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(LinkAddress, PacksOffersAndRefusesOtherStrings) {
  const LinkOffer offer{.address = WrapWorkerAddress("somewhere"),
                        .link_id = 77,
                        .token = std::string(32, 't')};
  const auto unpacked = UnpackOffer(PackOffer(offer));
  ASSERT_OK(unpacked);
  EXPECT_EQ(unpacked->address, offer.address);
  EXPECT_EQ(unpacked->link_id, offer.link_id);
  EXPECT_EQ(unpacked->token, offer.token);
  EXPECT_EQ(*UnwrapWorkerAddress(offer.address), "somewhere");
  EXPECT_FALSE(UnpackOffer("").ok());
  EXPECT_FALSE(UnpackOffer(std::string(40, 'x')).ok());
  for (const std::string& wrong :
       {std::string(), std::string("EMXU"), std::string("EMXU1234"),
        std::string(5000, 'x')}) {
    EXPECT_FALSE(UnwrapWorkerAddress(wrong).ok());
  }
}

}  // namespace
}  // namespace mesh::router
