// SPDX-License-Identifier: Apache-2.0
#include "expert-node/placement_follower.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "tests/support/moe_mesh.h"
#include "tests/support/status_matchers.h"

namespace mesh::expert {
namespace {

// A follower on real time. The disk stands still while `blocked`.
class PlacementFollowerTest : public ::testing::Test {
 protected:
  ~PlacementFollowerTest() override {
    SetBlocked(false);
    follower_.Stop();
  }

  static HostingOrder Order(uint64_t epoch, HostingPhase phase,
                            std::vector<int> experts) {
    HostingOrder order{.epoch = epoch, .phase = phase};
    for (const int expert : experts) {
      order.experts.push_back(
          {LayerId{1}, ExpertId{static_cast<uint16_t>(expert)}});
    }
    return order;
  }

  HostingRunner::Options Options() {
    return {.limits = {.layers = {LayerId{0}, LayerId{1}},
                       .num_experts = MoeModel::kNumExperts,
                       .capacity = 4},
            .num_threads = 2,
            .retry_pause = absl::Hours(1),
            .read = [this](const router::ExpertKey& key) { return Read(key); }};
  }
  absl::StatusOr<std::shared_ptr<const ExpertWeights>> Read(
      const router::ExpertKey& key) {
    MutexLock lock(mutex_);
    ++num_reads_;
    changed_.NotifyAll();
    while (blocked_) changed_.Wait(mutex_);
    if (disk_is_away_) return absl::UnavailableError("disk");
    return model_.At(key.layer, key.expert).packed;
  }
  void SetBlocked(bool blocked) {
    MutexLock lock(mutex_);
    blocked_ = blocked;
    changed_.NotifyAll();
  }
  void WaitForReads(int count) {
    MutexLock lock(mutex_);
    while (num_reads_ < count) {
      ASSERT_TRUE(changed_.WaitFor(mutex_, absl::Seconds(30)));
    }
  }
  HostingReport WaitForReport() {
    MutexLock lock(mutex_);
    while (reports_.empty()) {
      if (!changed_.WaitFor(mutex_, absl::Seconds(30))) {
        ADD_FAILURE() << "no report";
        return {};
      }
    }
    const HostingReport report = reports_.front();
    reports_.erase(reports_.begin());
    return report;
  }
  void Heard(const HostingReport& report) {
    MutexLock lock(mutex_);
    reports_.push_back(report);
    changed_.NotifyAll();
  }

  const MoeModel model_{"scalar"};
  const RealClock clock_;
  ThreadPool pool_{1};
  ExpertShard shard_{model_.kernels, pool_, MoeModel::kHiddenSize};
  Mutex mutex_;
  CondVar changed_;
  bool blocked_ ABSL_GUARDED_BY(mutex_) = false;
  bool disk_is_away_ ABSL_GUARDED_BY(mutex_) = false;
  int num_reads_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<HostingReport> reports_ ABSL_GUARDED_BY(mutex_);
  PlacementFollower follower_{
      Options(), shard_, clock_,
      [this](const HostingReport& report) { Heard(report); }};
};

TEST_F(PlacementFollowerTest, FollowsOrdersOneAfterTheOther) {
  EXPECT_FALSE(follower_.Settled());
  EXPECT_EQ(follower_.Activity(), "waiting for the router's first order");
  follower_.Start();
  ASSERT_OK(follower_.Follow(Order(5, HostingPhase::kLoad, {1, 2})));
  EXPECT_EQ(WaitForReport().holdings.size(), 2U);
  EXPECT_TRUE(follower_.Settled());
  EXPECT_EQ(follower_.Activity(), "");
  ASSERT_OK(follower_.Follow(Order(5, HostingPhase::kRetire, {2})));
  const HostingReport report = WaitForReport();
  EXPECT_EQ(report.phase, HostingPhase::kRetire);
  EXPECT_EQ(report.holdings.size(), 1U);
}

TEST_F(PlacementFollowerTest, RefusesAnOlderEpoch) {
  follower_.Start();
  ASSERT_OK(follower_.Follow(Order(5, HostingPhase::kLoad, {1})));
  EXPECT_THAT(follower_.Follow(Order(4, HostingPhase::kLoad, {2})),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_EQ(WaitForReport().order_epoch, 5U);
  EXPECT_FALSE(shard_.Holds(LayerId{1}, ExpertId{2}));
}

TEST_F(PlacementFollowerTest, ANewerOrderEndsTheOneUnderWay) {
  SetBlocked(true);
  follower_.Start();
  ASSERT_OK(follower_.Follow(Order(5, HostingPhase::kLoad, {1, 2, 3, 4})));
  WaitForReads(1);
  ASSERT_OK(follower_.Follow(Order(6, HostingPhase::kRetire, {9})));
  SetBlocked(false);
  const HostingReport report = WaitForReport();
  EXPECT_EQ(report.order_epoch, 6U);
  ASSERT_EQ(report.holdings.size(), 1U);
  EXPECT_EQ(report.holdings[0].key.expert, ExpertId{9});
}

TEST_F(PlacementFollowerTest, StopsWhileItWaitsForTheDisk) {
  {
    MutexLock lock(mutex_);
    disk_is_away_ = true;
  }
  follower_.Start();
  ASSERT_OK(follower_.Follow(Order(5, HostingPhase::kLoad, {1})));
  WaitForReads(1);
  follower_.Stop();
  EXPECT_FALSE(follower_.Settled());
}

TEST_F(PlacementFollowerTest, SaysWhyItCannotLoad) {
  follower_.Start();
  ASSERT_OK(follower_.Follow(Order(5, HostingPhase::kLoad, {1, 2, 3, 4, 5})));
  EXPECT_THAT(WaitForReport().status,
              StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_FALSE(follower_.Settled());
  EXPECT_THAT(follower_.Activity(),
              ::testing::StartsWith("cannot load: the order needs memory"));
}

}  // namespace
}  // namespace mesh::expert
