// SPDX-License-Identifier: Apache-2.0
#include "gateway/retry_policy.h"

#include <gtest/gtest.h>

namespace mesh::gateway {
namespace {

TEST(RetryPolicy, OnlyWhatMayChangeIsTriedAgain) {
  EXPECT_TRUE(IsRetryable(absl::UnavailableError("")));
  EXPECT_TRUE(IsRetryable(absl::DataLossError("")));
  EXPECT_FALSE(IsRetryable(absl::InvalidArgumentError("")));
  EXPECT_FALSE(IsRetryable(absl::InternalError("")));
}

TEST(RetryPolicy, WaitsDoubleUpToTheLongest) {
  const auto wait = [](int num_failures) {
    return Backoff(num_failures, absl::Milliseconds(100), absl::Seconds(5));
  };
  EXPECT_EQ(wait(1), absl::Milliseconds(100));
  EXPECT_EQ(wait(2), absl::Milliseconds(200));
  EXPECT_EQ(wait(6), absl::Milliseconds(3200));
  EXPECT_EQ(wait(7), absl::Seconds(5));
  EXPECT_EQ(wait(1000), absl::Seconds(5));
}

}  // namespace
}  // namespace mesh::gateway
