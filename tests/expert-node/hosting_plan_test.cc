// SPDX-License-Identifier: Apache-2.0
#include "expert-node/hosting_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace mesh::expert {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

router::ExpertKey Key(int layer, int expert) {
  return {LayerId{static_cast<uint16_t>(layer)},
          ExpertId{static_cast<uint16_t>(expert)}};
}

const HostingLimits kLimits{
    .layers = {LayerId{1}, LayerId{2}}, .num_experts = 4, .capacity = 4};

HostingOrder Order(HostingPhase phase, std::vector<router::ExpertKey> experts) {
  return {.epoch = 7, .phase = phase, .experts = std::move(experts)};
}

TEST(HostingPlan, LoadAddsWhatIsMissingInOrderAndKeepsTheRest) {
  const std::vector<router::ExpertKey> held = {Key(2, 1), Key(1, 3)};
  const auto plan = PlanHosting(
      Order(HostingPhase::kLoad, {Key(2, 0), Key(1, 3), Key(2, 0), Key(1, 1)}),
      kLimits, held);
  ASSERT_OK(plan);
  EXPECT_THAT(plan->load, ElementsAre(Key(2, 0), Key(1, 1)));
  EXPECT_THAT(plan->unload, IsEmpty());
}

TEST(HostingPlan, RetireEndsWithExactlyWhatIsNamed) {
  const std::vector<router::ExpertKey> held = {Key(2, 1), Key(1, 3), Key(1, 0)};
  const auto plan = PlanHosting(
      Order(HostingPhase::kRetire, {Key(1, 3), Key(2, 2)}), kLimits, held);
  ASSERT_OK(plan);
  EXPECT_THAT(plan->load, ElementsAre(Key(2, 2)));
  EXPECT_THAT(plan->unload, ElementsAre(Key(1, 0), Key(2, 1)));
}

TEST(HostingPlan, RefusesMoreThanThereIsRoomFor) {
  const std::vector<router::ExpertKey> held = {Key(2, 1), Key(1, 3), Key(1, 0)};
  const auto plan = PlanHosting(
      Order(HostingPhase::kLoad, {Key(1, 1), Key(2, 3)}), kLimits, held);
  EXPECT_THAT(plan, StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_THAT(std::string(plan.status().message()),
              HasSubstr("memory for 5 experts, but this node has room for 4"));
}

TEST(HostingPlan, RetiresEvenWhenThereIsTooMuch) {
  HostingLimits small = kLimits;
  small.capacity = 1;
  const std::vector<router::ExpertKey> held = {Key(2, 1), Key(1, 3), Key(1, 0)};
  const auto plan = PlanHosting(
      Order(HostingPhase::kRetire, {Key(1, 3), Key(2, 1)}), small, held);
  ASSERT_OK(plan);
  EXPECT_THAT(plan->unload, ElementsAre(Key(1, 0)));
}

TEST(HostingPlan, RefusesExpertsThatTheModelDoesNotHave) {
  for (const router::ExpertKey& key : {Key(1, 4), Key(0, 0), Key(3, 0)}) {
    EXPECT_THAT(PlanHosting(Order(HostingPhase::kLoad, {key}), kLimits, {}),
                StatusIs(absl::StatusCode::kInvalidArgument));
  }
}

}  // namespace
}  // namespace mesh::expert
