// SPDX-License-Identifier: Apache-2.0
// Processes die, freeze and come back under streams. Whatever happens, a stream
// gives the bits that it gives alone; nothing fails and nothing hangs.
#include <gtest/gtest.h>

#include <cstdio>
#include <memory>
#include <string>

#include "tests/mesh/mesh_checks.h"
#include "tests/support/gateway_streams.h"
#include "tests/support/process_mesh.h"
#include "tests/support/status_matchers.h"

namespace mesh {
namespace {

constexpr absl::Duration kLimit = absl::Minutes(1);
constexpr int kNumConcurrent = 16;

// A mesh under load, and one fault.
class Drill {
 public:
  explicit Drill(const ProcessMesh::Options& options) : mesh_(options) {}

  void Start() {
    ASSERT_OK(mesh_.Start());
    streams_ =
        std::make_unique<GatewayStreams>(mesh_.Gateway(), kNumConcurrent);
    ASSERT_TRUE(streams_->WaitForTokens(200, kLimit));
  }

  // A round of all streams after the fault, then the comparison.
  StreamsReport Finish(const std::string& what) {
    EXPECT_TRUE(streams_->WaitForEnded(kNumStreams, kLimit)) << what;
    const StreamsReport report = streams_->Finish(kLimit);
    ExpectAllSame(report, what);
    ExpectNothingHeld(mesh_);
    std::printf(
        "ran: %s: %d streams, %d different, %d failed, %d moved, longest gap "
        "%.0f ms\n",
        what.c_str(), report.NumEnded(), report.num_different,
        report.num_failed, report.num_migrated,
        absl::ToDoubleMilliseconds(report.longest_gap));
    return report;
  }

  ProcessMesh& Mesh() { return mesh_; }
  GatewayStreams& Streams() { return *streams_; }

 private:
  ProcessMesh mesh_;
  std::unique_ptr<GatewayStreams> streams_;
};

TEST(MeshFailure, KilledExpertNodeWithReplicasLosesNothing) {
  Drill drill({.num_expert_nodes = 4, .num_replicas = 2});
  ASSERT_NO_FATAL_FAILURE(drill.Start());
  drill.Mesh().Kill("expert-2");
  drill.Finish("expert node killed, replicas 2");
  EXPECT_OK(drill.Mesh().WaitSettled());
}

TEST(MeshFailure, StreamsWaitForTheExpertsOfAKilledNode) {
  Drill drill({.num_expert_nodes = 3, .num_replicas = 1});
  ASSERT_NO_FATAL_FAILURE(drill.Start());
  drill.Mesh().Kill("expert-1");
  drill.Finish("expert node killed, no replicas");
  EXPECT_OK(drill.Mesh().WaitSettled());
}

TEST(MeshFailure, OnlyExpertNodeKilledAndStartedAgain) {
  Drill drill({.num_expert_nodes = 1});
  ASSERT_NO_FATAL_FAILURE(drill.Start());
  drill.Mesh().Kill("expert-0");
  drill.Mesh().StartExpertNode("expert-0");
  drill.Finish("only expert node killed and started again");
  EXPECT_OK(drill.Mesh().WaitSettled());
}

TEST(MeshFailure, StreamsOfAKilledAttentionNodeGoOnElsewhere) {
  Drill drill({.num_expert_nodes = 2, .num_attention_nodes = 2});
  ASSERT_NO_FATAL_FAILURE(drill.Start());
  drill.Mesh().Kill("attention-0");
  const StreamsReport report = drill.Finish("attention node killed");
  EXPECT_GT(report.num_migrated, 0);
  EXPECT_OK(drill.Mesh().WaitSettled());
}

TEST(MeshFailure, DrainedAttentionNodeLosesNothing) {
  Drill drill({.num_expert_nodes = 2, .num_attention_nodes = 2});
  ASSERT_NO_FATAL_FAILURE(drill.Start());
  EXPECT_EQ(drill.Mesh().Terminate("attention-1", kLimit), 0);
  drill.Finish("attention node drained");
  EXPECT_OK(drill.Mesh().WaitSettled());
}

// So short that nobody but the dispatcher notices.
TEST(MeshFailure, ExpertNodeThatFreezesForAWhileLosesNothing) {
  Drill drill({.num_expert_nodes = 3, .num_replicas = 2});
  ASSERT_NO_FATAL_FAILURE(drill.Start());
  drill.Mesh().Freeze("expert-0");
  EXPECT_TRUE(drill.Streams().WaitForEnded(16, kLimit)) << "while it is frozen";
  drill.Mesh().Thaw("expert-0");
  drill.Finish("expert node frozen for a while, replicas 2");
  EXPECT_OK(drill.Mesh().WaitSettled());
}

TEST(MeshFailure, FrozenExpertNodeWithReplicasLosesNothing) {
  Drill drill({.num_expert_nodes = 3, .num_replicas = 2});
  ASSERT_NO_FATAL_FAILURE(drill.Start());
  drill.Mesh().Freeze("expert-0");
  EXPECT_OK(drill.Mesh().WaitGone("expert-0"));
  EXPECT_TRUE(drill.Streams().WaitForEnded(kNumStreams, kLimit))
      << "while it is frozen";
  drill.Mesh().Thaw("expert-0");
  EXPECT_OK(drill.Mesh().WaitSettled());
  drill.Finish("expert node frozen until it is gone, and thawed, replicas 2");
  // It works again, over links that are new.
  ExpectUcxLinks(drill.Mesh());
}

TEST(MeshFailure, StreamsWaitForAFrozenExpertNodeWithoutReplicas) {
  Drill drill({.num_expert_nodes = 3, .num_replicas = 1});
  ASSERT_NO_FATAL_FAILURE(drill.Start());
  drill.Mesh().Freeze("expert-0");
  EXPECT_OK(drill.Mesh().WaitGone("expert-0"));
  EXPECT_TRUE(drill.Streams().WaitForEnded(kNumStreams, kLimit))
      << "while it is frozen";
  drill.Mesh().Thaw("expert-0");
  EXPECT_OK(drill.Mesh().WaitSettled());
  drill.Finish("expert node frozen until it is gone, no replicas");
  EXPECT_OK(drill.Mesh().WaitSettled());
}

TEST(MeshFailure, StreamsOfAFrozenAttentionNodeGoOnElsewhere) {
  Drill drill({.num_expert_nodes = 2, .num_attention_nodes = 2});
  ASSERT_NO_FATAL_FAILURE(drill.Start());
  drill.Mesh().Freeze("attention-1");
  EXPECT_OK(drill.Mesh().WaitGone("attention-1"));
  EXPECT_TRUE(drill.Streams().WaitForEnded(kNumStreams, kLimit))
      << "while it is frozen";
  drill.Mesh().Thaw("attention-1");
  EXPECT_OK(drill.Mesh().WaitSettled());
  const StreamsReport report = drill.Finish("attention node frozen and thawed");
  EXPECT_GT(report.num_migrated, 0);
}

TEST(MeshFailure, TrafficDoesNotNoticeARouterThatIsAway) {
  Drill drill({.num_expert_nodes = 2, .num_attention_nodes = 2});
  ASSERT_NO_FATAL_FAILURE(drill.Start());
  drill.Mesh().Freeze("router");
  EXPECT_TRUE(drill.Streams().WaitForEnded(32, kLimit)) << "router frozen";
  drill.Mesh().Kill("router");
  EXPECT_TRUE(drill.Streams().WaitForEnded(32, kLimit)) << "router killed";
  drill.Mesh().StartRouter();
  EXPECT_OK(drill.Mesh().WaitSettled());
  const StreamsReport report = drill.Finish("router frozen, killed, restarted");
  EXPECT_EQ(report.num_migrated, 0);
}

}  // namespace
}  // namespace mesh
