// SPDX-License-Identifier: Apache-2.0
#include "expert-node/hosting_runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "tests/support/moe_mesh.h"
#include "tests/support/status_matchers.h"

namespace mesh::expert {
namespace {

using ::testing::HasSubstr;

// A runner over the small model, from a disk that fails as it is told.
class HostingRunnerTest : public ::testing::Test {
 protected:
  static router::ExpertKey Key(int expert) {
    return {LayerId{1}, ExpertId{static_cast<uint16_t>(expert)}};
  }
  static HostingOrder Order(HostingPhase phase, std::vector<int> experts) {
    HostingOrder order{.epoch = 7, .phase = phase};
    for (const int expert : experts) order.experts.push_back(Key(expert));
    return order;
  }

  HostingRunner::Options Options() {
    return {.limits = {.layers = {LayerId{0}, LayerId{1}},
                       .num_experts = MoeModel::kNumExperts,
                       .capacity = 4},
            .read = [this](const router::ExpertKey& key) { return Read(key); },
            .pause =
                [this](absl::Duration duration) {
                  pauses_.push_back(duration);
                  clock_.Advance(duration);
                }};
  }
  absl::StatusOr<std::shared_ptr<const ExpertWeights>> Read(
      const router::ExpertKey& key) {
    ++num_reads_;
    activity_ = runner_.Activity();
    if (cancel_after_ == num_reads_) cancelled_ = true;
    clock_.Advance(absl::Seconds(1));
    std::vector<absl::Status>& failures = failures_[key];
    if (!failures.empty()) {
      const absl::Status status = failures.back();
      failures.pop_back();
      return status;
    }
    return model_.At(key.layer, key.expert).packed;
  }
  std::vector<int> Held() const {
    std::vector<int> held;
    for (const auto& holding : shard_.Holdings()) {
      held.push_back(holding.key.expert.value);
    }
    return held;
  }
  HostingReport Run(const HostingOrder& order) {
    return *runner_.Run(order, cancelled_);
  }

  const MoeModel model_{"scalar"};
  FakeClock clock_;
  ThreadPool pool_{1};
  ExpertShard shard_{model_.kernels, pool_, MoeModel::kHiddenSize};
  std::map<router::ExpertKey, std::vector<absl::Status>> failures_;
  int num_reads_ = 0;
  int cancel_after_ = 0;
  std::string activity_;  // at the latest read
  std::vector<absl::Duration> pauses_;
  std::atomic<bool> cancelled_{false};
  HostingRunner runner_{Options(), shard_, clock_};
};

TEST_F(HostingRunnerTest, LoadsThenRetires) {
  HostingReport report = Run(Order(HostingPhase::kLoad, {2, 5}));
  EXPECT_OK(report.status);
  EXPECT_EQ(report.order_epoch, 7U);
  EXPECT_EQ(report.num_loaded, 2);
  EXPECT_EQ(report.load_time, absl::Seconds(2));
  EXPECT_EQ(activity_, "loading experts 1/2, 1 s left");
  EXPECT_EQ(runner_.Activity(), "");

  report = Run(Order(HostingPhase::kLoad, {5, 6}));
  EXPECT_EQ(Held(), (std::vector<int>{2, 5, 6}));
  EXPECT_EQ(num_reads_, 3);

  report = Run(Order(HostingPhase::kRetire, {5, 6}));
  EXPECT_OK(report.status);
  EXPECT_EQ(report.num_loaded, 0);
  EXPECT_EQ(Held(), (std::vector<int>{5, 6}));
  ASSERT_EQ(report.holdings.size(), 2U);
  EXPECT_EQ(report.holdings[1].digest,
            model_.At(LayerId{1}, ExpertId{6}).packed->SourceDigest());
}

TEST_F(HostingRunnerTest, TriesADiskThatFailsAgain) {
  failures_[Key(3)] = {absl::UnavailableError("disk"),
                       absl::UnavailableError("disk")};
  const HostingReport report = Run(Order(HostingPhase::kLoad, {1, 3}));
  EXPECT_OK(report.status);
  EXPECT_EQ(Held(), (std::vector<int>{1, 3}));
  EXPECT_EQ(num_reads_, 4);
  EXPECT_EQ(pauses_,
            (std::vector{absl::Milliseconds(200), absl::Milliseconds(400)}));
}

TEST_F(HostingRunnerTest, GivesUpOnADiskThatStaysAway) {
  failures_[Key(3)] = std::vector(9, absl::UnavailableError("disk"));
  const HostingReport report = Run(Order(HostingPhase::kLoad, {1, 3}));
  EXPECT_THAT(report.status, StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_EQ(num_reads_, 5);
  EXPECT_EQ(pauses_.size(), 3U);
  EXPECT_EQ(report.holdings.size(), 1U);
}

TEST_F(HostingRunnerTest, ReportsADamagedExpertAndLoadsTheOthers) {
  failures_[Key(1)] = {absl::DataLossError("damaged")};
  failures_[Key(2)] = {absl::UnavailableError("disk")};
  const HostingReport report = Run(Order(HostingPhase::kLoad, {1, 2, 3}));
  EXPECT_THAT(report.status, StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_EQ(Held(), (std::vector<int>{2, 3}));
}

TEST_F(HostingRunnerTest, ChangesNothingWithoutRoom) {
  Run(Order(HostingPhase::kLoad, {1, 2}));
  const HostingReport report = Run(Order(HostingPhase::kLoad, {3, 4, 5}));
  EXPECT_THAT(report.status, StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_THAT(std::string(report.status.message()), HasSubstr("--memory"));
  EXPECT_EQ(Held(), (std::vector<int>{1, 2}));
}

TEST_F(HostingRunnerTest, StopsAtTheNextExpertWhenCancelled) {
  cancel_after_ = 2;
  EXPECT_FALSE(
      runner_.Run(Order(HostingPhase::kLoad, {1, 2, 3, 4}), cancelled_));
  EXPECT_EQ(Held(), (std::vector<int>{1, 2}));
  EXPECT_EQ(runner_.Activity(), "");
}

}  // namespace
}  // namespace mesh::expert
