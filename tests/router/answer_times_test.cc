// SPDX-License-Identifier: Apache-2.0
#include "router/answer_times.h"

#include <gtest/gtest.h>

#include "tests/support/moe_mesh.h"

namespace mesh::router {
namespace {

constexpr NodeId kA{100};
constexpr NodeId kB{101};

TEST(AnswerTimes, CountsInBucketsWhoseUpperEndsAreIncluded) {
  AnswerTimes times;
  for (const double seconds : {0.0, 0.0001, 0.0002, 5.0, 6.0}) {
    times.Add(kA, absl::Seconds(seconds));
  }
  const AnswerTimes::Histogram& histogram = times.OfNodes().at(kA);
  EXPECT_EQ(histogram.counts[0], 2);
  EXPECT_EQ(histogram.counts[1], 1);
  EXPECT_EQ(histogram.counts[AnswerTimes::kBounds.size() - 1], 1);
  EXPECT_EQ(histogram.counts[AnswerTimes::kBounds.size()], 1);
  EXPECT_DOUBLE_EQ(histogram.sum, 11.0003);
}

TEST(AnswerTimes, ForgetsNodesThatHaveLeft) {
  AnswerTimes times;
  times.Add(kA, absl::Seconds(1));
  times.Add(kB, absl::Seconds(1));
  const std::vector<NodeId> left = {kB};
  times.KeepOnly(left);
  EXPECT_FALSE(times.OfNodes().contains(kA));
  EXPECT_TRUE(times.OfNodes().contains(kB));
}

// Virtual time: a millisecond passes with each poll of the nodes.
TEST(AnswerTimes, DispatcherKnowsWhereTheTimeWent) {
  const MoeModel model("scalar");
  const MoeBatch batch(model, 8, 4, 3);
  MoeMesh mesh(model, {.num_nodes = 2});
  mesh.nodes[1].frozen = true;
  mesh.on_idle = [&, polls = 0]() mutable {
    mesh.nodes[1].frozen = ++polls < 12;
  };
  ASSERT_OK(mesh.Run(batch));
  const DispatchTimes& times = mesh.dispatcher->Times();
  EXPECT_EQ(times.dispatch, absl::ZeroDuration());
  EXPECT_GE(times.compute, absl::Milliseconds(12));
  EXPECT_LT(times.compute, absl::Milliseconds(20));
  EXPECT_EQ(times.combine, absl::ZeroDuration());
  const auto& nodes = mesh.dispatcher->TimesOfNodes().OfNodes();
  EXPECT_LT(nodes.at(kA).sum, 0.005);
  EXPECT_GE(nodes.at(kB).sum, 0.012);

  const auto placement = EvenPlacement({.layers = {LayerId{0}, LayerId{1}},
                                        .num_experts = MoeModel::kNumExperts,
                                        .num_groups = 4,
                                        .nodes = {kA},
                                        .num_replicas = 1});
  ASSERT_OK(placement);
  ASSERT_OK(mesh.dispatcher->SetPlacement(*placement));
  EXPECT_FALSE(mesh.dispatcher->TimesOfNodes().OfNodes().contains(kB));
}

}  // namespace
}  // namespace mesh::router
