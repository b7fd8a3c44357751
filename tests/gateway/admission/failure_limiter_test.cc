// SPDX-License-Identifier: Apache-2.0
#include "gateway/admission/failure_limiter.h"

#include <gtest/gtest.h>

#include <string>

namespace mesh::gateway {
namespace {

TEST(FailureLimiter, CountsByAddress) {
  FakeClock clock;
  FailureLimiter limiter(2, 100, clock);
  EXPECT_EQ(limiter.Count("a"), absl::ZeroDuration());
  EXPECT_EQ(limiter.Count("a"), absl::ZeroDuration());
  EXPECT_EQ(limiter.Count("a"), absl::Seconds(30));
  EXPECT_EQ(limiter.Count("b"), absl::ZeroDuration());
  clock.Advance(absl::Seconds(30));
  EXPECT_EQ(limiter.Count("a"), absl::ZeroDuration());
}

TEST(FailureLimiter, AnIpv6NetworkIsOneAddress) {
  FakeClock clock;
  FailureLimiter limiter(1, 100, clock);
  EXPECT_EQ(limiter.Count("2001:db8::1"), absl::ZeroDuration());
  EXPECT_NE(limiter.Count("2001:db8::ffff:1"), absl::ZeroDuration());
  EXPECT_EQ(limiter.Count("2001:db8:0:1::1"), absl::ZeroDuration());
  EXPECT_EQ(limiter.Count("::ffff:192.0.2.1"), absl::ZeroDuration());
  EXPECT_EQ(limiter.Count("::ffff:192.0.2.2"), absl::ZeroDuration());
}

TEST(FailureLimiter, RemembersOnlySoMany) {
  FakeClock clock;
  FailureLimiter limiter(1, 10, clock);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(limiter.Count(std::to_string(i)), absl::ZeroDuration());
    // Fails again and again, so it is remembered.
    EXPECT_EQ(limiter.Count("bad") == absl::ZeroDuration(), i == 0);
  }
  EXPECT_EQ(limiter.NumAddresses(), 10u);
}

}  // namespace
}  // namespace mesh::gateway
