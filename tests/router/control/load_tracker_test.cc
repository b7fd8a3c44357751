// SPDX-License-Identifier: Apache-2.0
#include "router/control/load_tracker.h"

#include <gtest/gtest.h>

#include <numeric>
#include <random>

namespace mesh::router {
namespace {

using Tokens = std::vector<uint64_t>;

constexpr NodeId kNode{7};
constexpr NodeId kOther{8};

class LoadTrackerTest : public ::testing::Test {
 protected:
  LoadTrackerTest() {
    tracker_.Start(kNode, false);
    tracker_.Start(kOther, false);
  }
  absl::Time At(double seconds) const {
    return absl::UnixEpoch() + absl::Seconds(seconds);
  }
  size_t Report(NodeId node, size_t index, uint64_t total, double seconds) {
    return tracker_.Report(
        node, std::vector<LoadTracker::Entry>{{index, total}}, At(seconds));
  }
  Tokens Read(LoadSpan span, double seconds) {
    const auto tokens = tracker_.Read(span, At(seconds)).tokens;
    return {tokens.begin(), tokens.end()};
  }

  LoadTracker tracker_{3, absl::UnixEpoch()};
};

TEST_F(LoadTrackerTest, AddsCumulativeReportsOfAllNodes) {
  EXPECT_EQ(Report(kNode, 0, 5, 0.1), 0U);
  EXPECT_EQ(Report(kOther, 0, 10, 0.2), 0U);
  EXPECT_EQ(Report(kNode, 0, 6, 0.3), 0U);
  EXPECT_EQ(Report(kNode, 0, 6, 0.4), 0U);
  EXPECT_EQ(Read(LoadSpan::kTotal, 1), (Tokens{16, 0, 0}));
}

TEST_F(LoadTrackerTest, ANewIncarnationCountsFromZero) {
  Report(kNode, 1, 5, 0.1);
  tracker_.Start(kNode, false);
  Report(kNode, 1, 2, 0.2);
  EXPECT_EQ(Read(LoadSpan::kTotal, 1), (Tokens{0, 7, 0}));
}

TEST_F(LoadTrackerTest, APastThatWasNotSeenIsInTheTotalOnly) {
  tracker_.Start(kNode, true);
  Report(kNode, 1, 1000, 0.1);
  Report(kNode, 1, 1003, 0.2);
  EXPECT_EQ(Read(LoadSpan::kTenSeconds, 0.3), (Tokens{0, 3, 0}));
  EXPECT_EQ(Read(LoadSpan::kTotal, 0.3), (Tokens{0, 1003, 0}));
}

TEST_F(LoadTrackerTest, IgnoresWhatGoesBackOrTooFarAndStrangers) {
  Report(kNode, 0, 5, 0.1);
  EXPECT_EQ(Report(kNode, 0, 4, 0.2), 1U);
  EXPECT_EQ(Report(kNode, 0, UINT64_MAX, 0.2), 1U);
  EXPECT_EQ(Report(NodeId{99}, 0, 1, 0.2), 1U);
  EXPECT_EQ(Read(LoadSpan::kTotal, 1), (Tokens{5, 0, 0}));
}

TEST_F(LoadTrackerTest, WindowsForgetWhatIsOlder) {
  Report(kNode, 2, 4, 0.1);
  EXPECT_EQ(Read(LoadSpan::kSecond, 0.5), (Tokens{0, 0, 4}));
  EXPECT_EQ(Read(LoadSpan::kSecond, 1.2), (Tokens{0, 0, 0}));
  EXPECT_EQ(Read(LoadSpan::kTenSeconds, 9.5), (Tokens{0, 0, 4}));
  EXPECT_EQ(Read(LoadSpan::kTenSeconds, 11), (Tokens{0, 0, 0}));
  EXPECT_EQ(Read(LoadSpan::kFiveMinutes, 290), (Tokens{0, 0, 4}));
  EXPECT_EQ(Read(LoadSpan::kFiveMinutes, 311), (Tokens{0, 0, 0}));
  EXPECT_EQ(Read(LoadSpan::kTotal, 1e6), (Tokens{0, 0, 4}));
}

TEST_F(LoadTrackerTest, TellsTheTimeThatAWindowCovers) {
  const auto covered = [this](LoadSpan span, double seconds) {
    return tracker_.Read(span, At(seconds)).covered;
  };
  EXPECT_EQ(covered(LoadSpan::kTenSeconds, 4.5), absl::Seconds(4.5));
  EXPECT_EQ(covered(LoadSpan::kTenSeconds, 100.5), absl::Seconds(9.5));
  EXPECT_EQ(covered(LoadSpan::kTotal, 100.5), absl::Seconds(100.5));
}

TEST_F(LoadTrackerTest, WindowsEqualASumOverWhatTheyCover) {
  std::mt19937 random(20);
  std::vector<std::pair<double, uint64_t>> seen;
  uint64_t total = 0;
  double now = 0;
  for (int round = 0; round < 2000; ++round) {
    now += static_cast<double>(random() % 1000) / 1000;
    total += random() % 50;
    const uint64_t before = seen.empty() ? 0 : Read(LoadSpan::kTotal, now)[0];
    Report(kNode, 0, total, now);
    seen.emplace_back(now, total - before);
    const auto loads = tracker_.Read(LoadSpan::kTenSeconds, At(now));
    const double since = now - absl::ToDoubleSeconds(loads.covered);
    uint64_t expected = 0;
    for (const auto& [time, tokens] : seen) {
      if (time >= since - 1e-6) expected += tokens;
    }
    ASSERT_EQ(loads.tokens[0], expected) << round;
  }
}

TEST(Imbalance, IsLargestOverMean) {
  EXPECT_DOUBLE_EQ(Imbalance(Tokens{4, 4, 4, 4}), 1);
  EXPECT_DOUBLE_EQ(Imbalance(Tokens{0, 0, 0, 8}), 4);
  EXPECT_DOUBLE_EQ(Imbalance(Tokens{0, 0}), 0);
}

}  // namespace
}  // namespace mesh::router
