// SPDX-License-Identifier: Apache-2.0
#include "gateway/running_requests.h"

#include <gtest/gtest.h>

#include <thread>

namespace mesh::gateway {
namespace {

class FakeRequest final : public RunningRequest {
 public:
  void Cancel() override { ++num_cancelled; }
  void Expire() override { ++num_expired; }
  int num_cancelled = 0;
  int num_expired = 0;
};

TEST(RunningRequests, CancelFindsByName) {
  RunningRequests running;
  const auto request = std::make_shared<FakeRequest>();
  ASSERT_TRUE(running.Add("a", absl::InfiniteFuture(), request).ok());
  EXPECT_EQ(running.Add("a", absl::InfiniteFuture(), request).code(),
            absl::StatusCode::kAlreadyExists);
  EXPECT_TRUE(running.Cancel("a").ok());
  EXPECT_EQ(request->num_cancelled, 1);
  running.Remove("a");
  EXPECT_EQ(running.Cancel("a").code(), absl::StatusCode::kNotFound);
}

TEST(RunningRequests, AFreeNameStillCounts) {
  RunningRequests running;
  const auto request = std::make_shared<FakeRequest>();
  ASSERT_TRUE(running.Add("a", absl::InfiniteFuture(), request).ok());
  running.FreeName("a");
  EXPECT_EQ(running.Cancel("a").code(), absl::StatusCode::kNotFound);
  ASSERT_TRUE(running.Add("a", absl::InfiniteFuture(), request).ok());
  EXPECT_EQ(running.NumRunning(), 2);
  running.RemoveNameless();
  EXPECT_EQ(running.NumRunning(), 1);
  running.Remove("a");
  EXPECT_TRUE(running.AwaitNone(absl::ZeroDuration()));
}

TEST(RunningRequests, ExpiresAWhileAfterTheDeadline) {
  RunningRequests running;
  const auto request = std::make_shared<FakeRequest>();
  const absl::Time deadline = absl::UnixEpoch();
  ASSERT_TRUE(running.Add("a", deadline, request).ok());
  running.ExpireDue(deadline + absl::Seconds(1));
  EXPECT_EQ(request->num_expired, 0);
  running.ExpireDue(deadline + absl::Seconds(3));
  EXPECT_EQ(request->num_expired, 1);
}

TEST(RunningRequests, DrainWaitsForTheLast) {
  RunningRequests running;
  EXPECT_TRUE(running.AwaitNone(absl::ZeroDuration()));
  const auto request = std::make_shared<FakeRequest>();
  ASSERT_TRUE(running.Add("a", absl::InfiniteFuture(), request).ok());
  running.StartDraining();
  EXPECT_EQ(running.Add("b", absl::InfiniteFuture(), request).code(),
            absl::StatusCode::kUnavailable);
  EXPECT_FALSE(running.AwaitNone(absl::Milliseconds(1)));
  EXPECT_EQ(running.NumRunning(), 1);
  std::thread last([&] { running.Remove("a"); });
  EXPECT_TRUE(running.AwaitNone(absl::Seconds(60)));
  last.join();
}

}  // namespace
}  // namespace mesh::gateway
