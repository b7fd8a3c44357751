// SPDX-License-Identifier: Apache-2.0
#include "router/transport/data_plane.h"

#include <gtest/gtest.h>

#include "tests/router/transport_contract.h"
#include "tests/support/status_matchers.h"

namespace mesh::router {
namespace {

// Two ends of that kind find each other by offer and ConnectAddress().
void ExpectTheyMeet(const DataPlaneOptions& a_options,
                    const DataPlaneOptions& b_options) {
  auto a = OpenDataPlane(a_options);
  auto b = OpenDataPlane(b_options);
  ASSERT_OK(a);
  ASSERT_OK(b);
  const auto offer = b->acceptor->Offer("a", a->local_address);
  ASSERT_OK(offer);
  const auto to_b =
      a->transport->Connect(ConnectAddress(a_options.transport, *offer));
  ASSERT_OK(to_b);
  ASSERT_OK(a->transport->Ping(*to_b, 9, 10));
  Inbox a_inbox;
  Inbox b_inbox;
  const absl::Time deadline = absl::Now() + absl::Seconds(20);
  while (a_inbox.pongs.empty() && absl::Now() < deadline) {
    a->transport->Poll(a_inbox);
    b->transport->Poll(b_inbox);
  }
  EXPECT_EQ(a_inbox.pongs.size(), 1U);

  b->transport = nullptr;
  EXPECT_THAT(b->acceptor->Offer("a", a->local_address),
              StatusIs(absl::StatusCode::kUnavailable));
}

TEST(DataPlane, UcxEndsMeet) { ExpectTheyMeet({}, {}); }

TEST(DataPlane, EndsOfOneProcessMeet) {
  InProcessNetwork network;
  ExpectTheyMeet({.transport = "in-process", .network = &network, .name = "a"},
                 {.transport = "in-process", .network = &network, .name = "b"});
}

TEST(DataPlane, RefusesOptionsThatMakeNoSense) {
  EXPECT_THAT(OpenDataPlane({.transport = "pigeon"}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       ::testing::HasSubstr("pigeon")));
  EXPECT_THAT(OpenDataPlane({.transport = "in-process"}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       ::testing::HasSubstr("--transport ucx")));
  EXPECT_THAT(OpenDataPlane({.ucx = {.device = "no-such-device"}}),
              StatusIs(absl::StatusCode::kUnavailable));
}

}  // namespace
}  // namespace mesh::router
