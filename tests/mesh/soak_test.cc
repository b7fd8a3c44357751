// SPDX-License-Identifier: Apache-2.0
// 16 streams at a time for a while, with a node joining, one draining and one
// killed: none fails, none differs, and all that was taken is given back.
//
//   soak_test [--long]    two minutes instead of twenty seconds
#include <gtest/gtest.h>

#include <cstdio>
#include <string>

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "tests/mesh/mesh_checks.h"
#include "tests/support/gateway_streams.h"
#include "tests/support/process_mesh.h"
#include "tests/support/status_matchers.h"

namespace mesh {
namespace {

constexpr absl::Duration kLimit = absl::Minutes(1);
absl::Duration soak_time = absl::Seconds(20);

// Keeps the load up until that part of the time is over.
void RunUntil(GatewayStreams& streams, absl::Time until) {
  while (absl::Now() < until) {
    ASSERT_TRUE(streams.WaitForEnded(1, kLimit));
  }
}

TEST(MeshSoak, JoinDrainAndKillUnderSixteenStreams) {
  ProcessMesh mesh(
      {.num_expert_nodes = 4, .num_attention_nodes = 2, .num_replicas = 2});
  ASSERT_OK(mesh.Start());
  // Warm: all connections open, all buffers at their size.
  GatewayStreams warm(mesh.Gateway(), 16, 2 * kNumStreams);
  ExpectAllSame(warm.Finish(kLimit), "warming up");
  ExpectNothingHeld(mesh);
  const auto before = MeasureUsage(mesh);

  const absl::Time start = absl::Now();
  GatewayStreams streams(mesh.Gateway(), 16);
  ASSERT_NO_FATAL_FAILURE(RunUntil(streams, start + soak_time / 5));
  mesh.AddExpertNode();
  EXPECT_OK(mesh.WaitSettled());
  ASSERT_NO_FATAL_FAILURE(RunUntil(streams, start + soak_time * 2 / 5));
  EXPECT_EQ(mesh.Terminate("expert-0", kLimit), 0);
  EXPECT_OK(mesh.WaitSettled());
  ASSERT_NO_FATAL_FAILURE(RunUntil(streams, start + soak_time * 3 / 5));
  mesh.Kill("expert-3");
  EXPECT_OK(mesh.WaitSettled());
  ASSERT_NO_FATAL_FAILURE(RunUntil(streams, start + soak_time));
  const StreamsReport report = streams.Finish(kLimit);

  ExpectAllSame(report, "soak");
  ExpectUcxLinks(mesh);
  ExpectNothingHeld(mesh);
  ExpectBaseline(mesh, before);
  absl::PrintF(
      "ran: soak of %.0f s: %d streams, %d different, %d failed, %d tokens, "
      "longest gap %.0f ms\n",
      absl::ToDoubleSeconds(absl::Now() - start), report.NumEnded(),
      report.num_different, report.num_failed, report.num_tokens,
      absl::ToDoubleMilliseconds(report.longest_gap));
}

}  // namespace
}  // namespace mesh

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (argc > 1 && std::string(argv[1]) == "--long") {
    mesh::soak_time = absl::Minutes(2);
  }
  return RUN_ALL_TESTS();
}
