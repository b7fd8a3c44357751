// SPDX-License-Identifier: Apache-2.0
#include "router/control/bias_balancer.h"

#include <gtest/gtest.h>

#include <vector>

namespace mesh::router {
namespace {

using Bias = std::vector<float>;

Bias Step(const std::vector<uint64_t>& tokens, Bias bias) {
  StepBias(tokens,
           {.gamma = 0.5F, .bound = 1, .dead_band = 0.1, .least_mean = 16},
           bias);
  return bias;
}

TEST(StepBias, RaisesTheIdleAndLowersTheBusy) {
  EXPECT_EQ(Step({10, 30}, {0, 0}), (Bias{0.5F, -0.5F}));
}

TEST(StepBias, LeavesTheDeadBandAlone) {
  EXPECT_EQ(Step({95, 105, 100}, {0.25F, 0, 0}), (Bias{0.25F, 0, 0}));
}

TEST(StepBias, IsBounded) {
  EXPECT_EQ(Step({0, 40}, {0.75F, -0.75F}), (Bias{1, -1}));
}

TEST(StepBias, ConcludesNothingFromLittleLoad) {
  EXPECT_EQ(Step({0, 20}, {0.25F, -0.5F}), (Bias{0.25F, -0.5F}));
  EXPECT_EQ(Step({}, {}), Bias());
}

}  // namespace
}  // namespace mesh::router
