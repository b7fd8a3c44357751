// SPDX-License-Identifier: Apache-2.0
#include "router/control/epoch_rollout.h"

#include <gtest/gtest.h>

namespace mesh::router {
namespace {

constexpr NodeId kOne{1};
constexpr NodeId kTwo{2};
const ExpertGrid kGrid({LayerId{3}}, 2);
const HostingPlan kPlan = {{kOne, {true, false}}, {kTwo, {true, true}}};
const absl::Time kNow = absl::UnixEpoch();

TEST(EpochRollout, GoesFromPlanToRetirement) {
  EpochRollout rollout(5, "join", kPlan, kNow);
  EXPECT_EQ(rollout.State(), EpochState::kProposed);
  rollout.StartLoading(kNow);
  EXPECT_FALSE(rollout.OnLoaded(kTwo, kNow));
  EXPECT_EQ(rollout.StillLoading(), std::set<NodeId>{kOne});
  EXPECT_FALSE(rollout.OnLoaded(kTwo, kNow));
  EXPECT_TRUE(rollout.OnLoaded(kOne, kNow));
  EXPECT_EQ(rollout.State(), EpochState::kReady);
  rollout.Activate(kNow + absl::Seconds(1));
  EXPECT_EQ(rollout.Since(), kNow + absl::Seconds(1));
  rollout.Drain(kNow);
  rollout.Retire(kNow);
  EXPECT_EQ(EpochStateName(rollout.State()), "retired");
}

TEST(EpochRollout, MayBeAbandonedUntilItIsActive) {
  EpochRollout rollout(5, "join", kPlan, kNow);
  rollout.StartLoading(kNow);
  rollout.Abandon(kNow);
  EXPECT_EQ(rollout.State(), EpochState::kAbandoned);

  EpochRollout active = EpochRollout::Adopted(5, kPlan, kNow);
  EXPECT_DEATH(active.Abandon(kNow), "");
  EXPECT_DEATH(active.StartLoading(kNow), "");
  EXPECT_DEATH(active.Retire(kNow), "");
}

TEST(EpochRollout, PlansAndPlacementsAreTheSame) {
  const auto placement = MakePlacement(5, kPlan, kGrid);
  EXPECT_EQ(placement->Epoch(), 5U);
  EXPECT_EQ(PlanOf(*placement, kGrid), kPlan);
}

}  // namespace
}  // namespace mesh::router
