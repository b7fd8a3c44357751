// SPDX-License-Identifier: Apache-2.0
#include "gateway/admission/token_bucket.h"

#include <gtest/gtest.h>

namespace mesh::gateway {
namespace {

const absl::Time kStart = absl::UnixEpoch();

TEST(TokenBucket, HoldsAMinuteAndFillsEvenly) {
  TokenBucket bucket(60, kStart);
  bucket.Take(60, kStart);
  EXPECT_EQ(bucket.WaitFor(1, kStart), absl::Seconds(1));
  EXPECT_EQ(bucket.WaitFor(1, kStart + absl::Seconds(1)), absl::ZeroDuration());
  EXPECT_EQ(bucket.Level(kStart + absl::Hours(1)), 60);
}

TEST(TokenBucket, DebtIsPaidFirst) {
  TokenBucket bucket(60, kStart);
  bucket.Take(90, kStart);
  EXPECT_EQ(bucket.WaitFor(1, kStart), absl::Seconds(31));
  bucket.GiveBack(20, kStart);
  EXPECT_EQ(bucket.WaitFor(1, kStart), absl::Seconds(11));
}

TEST(TokenBucket, MoreThanItHoldsWaitsUntilItIsFull) {
  TokenBucket bucket(60, kStart);
  EXPECT_EQ(bucket.WaitFor(1000, kStart), absl::ZeroDuration());
  bucket.Take(1000, kStart);
  EXPECT_EQ(bucket.WaitFor(1000, kStart), absl::Seconds(1000));
}

TEST(TokenBucket, WhoWaitedAsToldIsServed) {
  for (const double per_minute : {1.0, 7.0, 61.0, 12345.0, 9.9e8}) {
    TokenBucket bucket(per_minute, kStart);
    absl::Time now = kStart;
    for (int i = 1; i < 200; ++i) {
      bucket.Take(per_minute / 3, now);
      now += bucket.WaitFor(per_minute / 7, now);
      ASSERT_EQ(bucket.WaitFor(per_minute / 7, now), absl::ZeroDuration());
    }
  }
}

TEST(TokenBucket, AClockThatIsSetBackFillsNothing) {
  TokenBucket bucket(60, kStart + absl::Minutes(5));
  bucket.Take(60, kStart);
  EXPECT_EQ(bucket.Level(kStart), 0);
  EXPECT_EQ(bucket.Level(kStart + absl::Minutes(5)), 0);
}

TEST(TokenBucket, ANewRateForgivesNothing) {
  TokenBucket bucket(60, kStart);
  bucket.Take(50, kStart);
  bucket.SetRate(100, kStart);
  EXPECT_EQ(bucket.Level(kStart), 50);
  bucket.SetRate(10, kStart);
  EXPECT_EQ(bucket.Level(kStart), -40);
}

TEST(TokenBucket, WithoutALimitThereIsNoWait) {
  TokenBucket bucket(0, kStart);
  bucket.Take(1e12, kStart);
  EXPECT_EQ(bucket.WaitFor(1e12, kStart), absl::ZeroDuration());
}

}  // namespace
}  // namespace mesh::gateway
