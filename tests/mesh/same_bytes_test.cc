// SPDX-License-Identifier: Apache-2.0
// The 64 streams of tests/integration/same_bytes_test.cc through processes that
// speak gRPC and UCX: tokens and log-probabilities are those, bit for bit, of
// each stream alone in one process, whatever the mesh looks like and however
// it changes meanwhile.
#include <gtest/gtest.h>

#include <cstdio>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/mesh/mesh_checks.h"
#include "tests/support/gateway_streams.h"
#include "tests/support/process_mesh.h"
#include "tests/support/status_matchers.h"

namespace mesh {
namespace {

constexpr absl::Duration kLimit = absl::Minutes(1);
constexpr int kNumConcurrent = 16;

void PrintRun(const StreamsReport& report, const std::string& what,
              const DataPlaneBytes& bytes) {
  std::printf(
      "ran: %d streams over UCX, %s: %d same, %d different, %d failed, %ld "
      "tokens, longest gap %.0f ms, %lu bytes sent, %lu received\n",
      report.NumEnded(), what.c_str(), report.num_same, report.num_different,
      report.num_failed, static_cast<long>(report.num_tokens),
      absl::ToDoubleMilliseconds(report.longest_gap), bytes.sent,
      bytes.received);
}

// All 64 at once.
void ExpectSameBytes(const ProcessMesh::Options& options) {
  const std::string what =
      absl::StrCat(options.num_expert_nodes, " expert nodes, ",
                   options.num_attention_nodes, " attention nodes");
  ProcessMesh mesh(options);
  ASSERT_OK(mesh.Start());
  GatewayStreams streams(mesh.Gateway(), kNumStreams, kNumStreams);
  const StreamsReport report = streams.Finish(kLimit);
  ExpectAllSame(report, what);
  EXPECT_EQ(report.NumEnded(), static_cast<int>(kNumStreams)) << what;
  const DataPlaneBytes bytes = ExpectUcxLinks(mesh);
  EXPECT_GT(bytes.sent, 0);
  EXPECT_GT(bytes.received, 0);
  for (const std::string& name : mesh.AttentionNames()) {
    const auto stats = mesh.AttentionStats(name);
    ASSERT_OK(stats);
    EXPECT_GT(stats->finished(), 0) << name << " was given nothing";
  }
  ExpectNothingHeld(mesh);
  PrintRun(report, what, bytes);
}

TEST(MeshSameBytes, OneExpertNodeOneAttentionNode) {
  ExpectSameBytes({.num_expert_nodes = 1, .num_threads = 0});
}

TEST(MeshSameBytes, TwoExpertNodesOneAttentionNode) {
  ExpectSameBytes({.num_expert_nodes = 2});
}

TEST(MeshSameBytes, FourExpertNodesTwoAttentionNodes) {
  ExpectSameBytes({.num_expert_nodes = 4, .num_attention_nodes = 2});
}

TEST(MeshSameBytes, EightExpertNodesTwoAttentionNodes) {
  ExpectSameBytes({.num_expert_nodes = 8, .num_attention_nodes = 2});
}

// Streams run before, during and after what a test does to the mesh.
class MeshSameBytesUnderLoad : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK(mesh_.Start());
    streams_ =
        std::make_unique<GatewayStreams>(mesh_.Gateway(), kNumConcurrent);
    ASSERT_TRUE(streams_->WaitForTokens(200, kLimit));
    bytes_before_ = ExpectUcxLinks(mesh_);
  }

  // A whole round of all streams more, then the comparison.
  void FinishAndCompare(const std::string& what) {
    EXPECT_TRUE(streams_->WaitForEnded(kNumStreams, kLimit));
    const StreamsReport report = streams_->Finish(kLimit);
    ExpectAllSame(report, what);
    const DataPlaneBytes bytes = ExpectUcxLinks(mesh_);
    EXPECT_GT(bytes.sent, bytes_before_.sent);
    EXPECT_GT(bytes.received, bytes_before_.received);
    ExpectNothingHeld(mesh_);
    PrintRun(report, what, bytes);
  }

  ProcessMesh mesh_{
      {.num_expert_nodes = 4, .num_attention_nodes = 2, .num_replicas = 2}};
  std::unique_ptr<GatewayStreams> streams_;
  DataPlaneBytes bytes_before_;
};

TEST_F(MeshSameBytesUnderLoad, AcrossAJoin) {
  const auto before = mesh_.ListNodes();
  ASSERT_OK(before);
  const std::string name = mesh_.AddExpertNode();
  ASSERT_OK(mesh_.WaitSettled());
  const auto after = mesh_.ListNodes();
  ASSERT_OK(after);
  EXPECT_GT(after->active_epoch(), before->active_epoch());
  FinishAndCompare("across a join");
  const auto stats = mesh_.ExpertStats(name);
  ASSERT_OK(stats);
  EXPECT_GT(stats->rows_computed(), 0) << "the newcomer has no work";
}

TEST_F(MeshSameBytesUnderLoad, AcrossADrain) {
  EXPECT_EQ(mesh_.Terminate("expert-1", kLimit), 0);
  ASSERT_OK(mesh_.WaitSettled());
  FinishAndCompare("across a drain");
}

TEST_F(MeshSameBytesUnderLoad, AcrossARouterRestart) {
  const auto before = mesh_.ListNodes();
  ASSERT_OK(before);
  mesh_.Kill("router");
  EXPECT_TRUE(streams_->WaitForTokens(500, kLimit)) << "without a router";
  mesh_.StartRouter();
  ASSERT_OK(mesh_.WaitSettled());
  const auto after = mesh_.ListNodes();
  ASSERT_OK(after);
  EXPECT_GT(after->term(), before->term());
  // It really leads again.
  mesh_.AddExpertNode();
  ASSERT_OK(mesh_.WaitSettled());
  FinishAndCompare("across a router restart");
}

}  // namespace
}  // namespace mesh
