// SPDX-License-Identifier: Apache-2.0
#include "router/hedge_budget.h"

#include <gtest/gtest.h>

#include "router/dispatcher.h"
#include "tests/support/moe_mesh.h"
#include "tests/support/status_matchers.h"

namespace mesh::router {
namespace {

int TakeAll(HedgeBudget& budget, absl::Time now) {
  int taken = 0;
  while (budget.Take(now)) ++taken;
  return taken;
}

TEST(HedgeBudget, AllowsABurstThenATenthOfFirstSends) {
  HedgeBudget budget;
  const absl::Time now = absl::UnixEpoch();
  EXPECT_EQ(TakeAll(budget, now), 32);
  for (int i = 0; i < 105; ++i) budget.OnFirstSend();
  EXPECT_EQ(TakeAll(budget, now), 10);
}

TEST(HedgeBudget, TricklesButNeverHoldsMoreThanABurst) {
  HedgeBudget budget;
  absl::Time now = absl::UnixEpoch();
  TakeAll(budget, now);
  now += absl::Milliseconds(250);
  EXPECT_EQ(TakeAll(budget, now), 2);
  now += absl::Hours(1);
  EXPECT_EQ(TakeAll(budget, now), 32);
}

// A mesh that answers everything late: the dispatcher does not double its load.
TEST(HedgeBudget, BoundsWhatASlowMeshIsAskedTwice) {
  const MoeModel model("scalar");
  MoeMesh mesh(
      model,
      {.num_nodes = 1, .max_frame_bytes = 1024, .deadline = absl::Seconds(60)});
  mesh.nodes[0].frozen = true;
  const MoeBatch batch(model, 200, 4, 7);
  const auto handle = mesh.dispatcher->Dispatch(batch.View());
  ASSERT_OK(handle);
  const int64_t first_sends = mesh.dispatcher->Counters().frames_sent;
  ASSERT_GT(first_sends, 100);
  mesh.on_idle = [&, calls = 0]() mutable {
    if (++calls == 60) mesh.nodes[0].frozen = false;
  };
  EXPECT_EQ(*mesh.Combine(*handle, batch), CanonicalOutput(model, batch, 4));
  const int64_t hedged = mesh.dispatcher->Counters().frames_hedged;
  EXPECT_GE(hedged, 32);
  EXPECT_LE(hedged, 34);
}

}  // namespace
}  // namespace mesh::router
