// SPDX-License-Identifier: Apache-2.0
#include "attention-node/dispatch_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

namespace mesh::attention {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class DispatchMetricsTest : public ::testing::Test {
 protected:
  std::string Text() const {
    return prometheus::TextSerializer().Serialize(registry_.Collect());
  }
  void Update(const std::string& lane = "") {
    metrics_.Update(snapshot_, peers_, "ucx", lane);
  }

  prometheus::Registry registry_;
  DispatchMetrics metrics_{registry_};
  ExpertLinks::Snapshot snapshot_;
  std::vector<ExpertDialer::PeerState> peers_;
};

TEST_F(DispatchMetricsTest, FollowsTheCounters) {
  snapshot_.epoch = 77;
  snapshot_.counters.bytes_sent = 1000;
  snapshot_.counters.frames_hedged = 3;
  Update();
  Update("tcp/lo");
  snapshot_.counters.bytes_sent = 1500;
  Update("tcp/eth0");
  const std::string text = Text();
  EXPECT_THAT(text, HasSubstr("mesh_placement_generation 77\n"));
  EXPECT_THAT(text, HasSubstr("mesh_dispatch_bytes_total{direction=\"sent\","
                              "transport=\"ucx\"} 1500\n"));
  EXPECT_THAT(text,
              HasSubstr("mesh_dispatch_retries_total{reason=\"overdue\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("lane=\"tcp/eth0\""));
  EXPECT_THAT(text, Not(HasSubstr("lane=\"tcp/lo\"")));
}

TEST_F(DispatchMetricsTest, StagesAreOfOneStepEach) {
  metrics_.OnStep(absl::Milliseconds(1), {.dispatch = absl::Milliseconds(2),
                                          .compute = absl::Milliseconds(30),
                                          .combine = absl::Milliseconds(4)});
  metrics_.OnStep(absl::Milliseconds(3), {.dispatch = absl::Milliseconds(3),
                                          .compute = absl::Milliseconds(80),
                                          .combine = absl::Milliseconds(5)});
  const std::string text = Text();
  for (const char* line :
       {"mesh_moe_stage_seconds_count{stage=\"gate\"} 2\n",
        "mesh_moe_stage_seconds_sum{stage=\"gate\"} 0.003\n",
        "mesh_moe_stage_seconds_sum{stage=\"dispatch\"} 0.003\n",
        "mesh_moe_stage_seconds_sum{stage=\"compute\"} 0.08\n",
        "mesh_moe_stage_seconds_bucket{stage=\"compute\",le=\"0.025\"} 0\n",
        "mesh_moe_stage_seconds_bucket{stage=\"compute\",le=\"0.05\"} 2\n",
        "mesh_moe_stage_seconds_sum{stage=\"combine\"} 0.005\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST_F(DispatchMetricsTest, AnswerTimesAreOfNodesThatAreThere) {
  peers_ = {{.peer = {.node = NodeId{7}, .name = "expert-0"}},
            {.peer = {.node = NodeId{8}, .name = "expert-1"}}};
  snapshot_.answer_times.Add(NodeId{7}, absl::Milliseconds(2));
  Update();
  snapshot_.answer_times.Add(NodeId{7}, absl::Milliseconds(3));
  snapshot_.answer_times.Add(NodeId{8}, absl::Seconds(60));
  Update();
  std::string text = Text();
  for (const char* line :
       {"mesh_dispatch_rpc_seconds_count{node=\"expert-0\",op=\"experts\"} 2\n",
        "mesh_dispatch_rpc_seconds_sum{node=\"expert-0\",op=\"experts\"} "
        "0.005\n",
        "mesh_dispatch_rpc_seconds_bucket{node=\"expert-0\",op=\"experts\","
        "le=\"0.0025\"} 1\n",
        "mesh_dispatch_rpc_seconds_bucket{node=\"expert-1\",op=\"experts\","
        "le=\"+Inf\"} 1\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }

  // The first is back as another node of its name.
  peers_[0].peer.node = NodeId{9};
  const std::vector<NodeId> nodes = {NodeId{8}, NodeId{9}};
  snapshot_.answer_times.KeepOnly(nodes);
  snapshot_.answer_times.Add(NodeId{9}, absl::Milliseconds(1));
  Update();
  EXPECT_THAT(Text(), HasSubstr("mesh_dispatch_rpc_seconds_count{node="
                                "\"expert-0\",op=\"experts\"} 1\n"));
  peers_.pop_back();
  snapshot_.answer_times.KeepOnly({});
  Update();
  EXPECT_THAT(Text(), Not(HasSubstr("expert-")));
}

}  // namespace
}  // namespace mesh::attention
