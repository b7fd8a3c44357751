// SPDX-License-Identifier: Apache-2.0
// What the dispatcher does while an expert has no node, and when the table
// changes under way.
#include <gtest/gtest.h>

#include <functional>
#include <utility>

#include "router/dispatcher.h"
#include "tests/support/moe_mesh.h"
#include "tests/support/status_matchers.h"

namespace mesh::router {
namespace {

using ::testing::HasSubstr;

constexpr absl::Duration kOrphanWait = absl::Seconds(30);

// A table that gives every expert of both layers to `nodes`, each to each.
std::shared_ptr<const Placement> AllOn(std::vector<NodeId> nodes,
                                       uint64_t epoch) {
  const int num_nodes = static_cast<int>(nodes.size());
  return *EvenPlacement({.epoch = epoch,
                         .layers = {LayerId{0}, LayerId{1}},
                         .num_experts = MoeModel::kNumExperts,
                         .num_groups = 4,
                         .nodes = std::move(nodes),
                         .num_replicas = num_nodes});
}

class DispatcherOrphan : public ::testing::Test {
 protected:
  // Runs `what` in the idle call after `delay` of virtual time.
  void After(MoeMesh& mesh, absl::Duration delay, std::function<void()> what) {
    const absl::Time at = mesh.clock.Now() + delay;
    mesh.on_idle = [&mesh, at, what = std::move(what), done = false]() mutable {
      if (done || mesh.clock.Now() < at) return;
      done = true;
      what();
    };
  }

  void LoadAll(MoeMesh& mesh, int n) {
    for (uint16_t layer = 0; layer < MoeModel::kNumLayers; ++layer) {
      for (uint16_t e = 0; e < MoeModel::kNumExperts; ++e) {
        const LayerId layer_id{layer};
        const ExpertId expert{e};
        auto& shard = *mesh.nodes[static_cast<size_t>(n)].shard;
        if (shard.Holds(layer_id, expert)) continue;
        ASSERT_OK(
            shard.Load(layer_id, expert, model_.At(layer_id, expert).packed));
      }
    }
  }

  const MoeModel model_{"scalar"};
  const MoeBatch batch_{model_, 9, 4, 33};
  const std::vector<float> expected_ = CanonicalOutput(model_, batch_, 4);
};

TEST_F(DispatcherOrphan, WaitsForANodeThatComesBack) {
  MoeMesh mesh(model_, {.num_nodes = 2, .orphan_wait = kOrphanWait});
  mesh.Kill(1);
  // Longer than the deadline, which does not run meanwhile.
  After(mesh, absl::Seconds(20), [&] { mesh.AddNode(model_, 1); });
  const absl::Time start = mesh.clock.Now();
  EXPECT_EQ(*mesh.Run(batch_), expected_);
  EXPECT_GE(mesh.clock.Now() - start, absl::Seconds(20));
  EXPECT_LE(mesh.clock.Now() - start, absl::Seconds(20.01));
}

TEST_F(DispatcherOrphan, SaysHowLongItHasWaited) {
  MoeMesh mesh(model_, {.num_nodes = 2, .orphan_wait = kOrphanWait});
  const auto handle = mesh.dispatcher->Dispatch(batch_.View());
  ASSERT_OK(handle);
  mesh.Kill(1);
  const absl::Time start = mesh.clock.Now();
  EXPECT_THAT(mesh.Combine(*handle, batch_).status(),
              StatusIs(absl::StatusCode::kUnavailable,
                       HasSubstr("of layer 1 has had no node for 30s")));
  EXPECT_GE(mesh.clock.Now() - start, kOrphanWait);
  EXPECT_LE(mesh.clock.Now() - start, kOrphanWait + absl::Milliseconds(5));
}

TEST_F(DispatcherOrphan, HasItsDeadlineAgainOnceEveryExpertHasANode) {
  MoeMesh mesh(model_, {.num_nodes = 2,
                        .deadline = absl::Seconds(2),
                        .orphan_wait = kOrphanWait});
  mesh.Kill(1);
  After(mesh, absl::Seconds(10), [&] {
    mesh.AddNode(model_, 1);
    mesh.nodes.back().frozen = true;
  });
  const absl::Time start = mesh.clock.Now();
  EXPECT_THAT(mesh.Run(batch_).status(),
              StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_GE(mesh.clock.Now() - start, absl::Seconds(11.9));
  EXPECT_LE(mesh.clock.Now() - start, absl::Seconds(12.1));
}

TEST_F(DispatcherOrphan, MovesOrphansToTheNodesOfANewTable) {
  MoeMesh mesh(model_, {.num_nodes = 2, .orphan_wait = kOrphanWait});
  const auto handle = mesh.dispatcher->Dispatch(batch_.View());
  ASSERT_OK(handle);
  mesh.Kill(1);
  After(mesh, absl::Seconds(3), [&] {
    LoadAll(mesh, 0);
    ASSERT_OK(mesh.dispatcher->SetPlacement(AllOn({NodeId{100}}, 2)));
  });
  EXPECT_EQ(*mesh.Combine(*handle, batch_), expected_);
  EXPECT_EQ(*mesh.Run(batch_), expected_);
}

// Its only copy is frozen; others have loaded it once its lease was over.
TEST_F(DispatcherOrphan, DoesNotWaitForALateNodeThatANewTableLeavesOut) {
  MoeMesh mesh(model_, {.num_nodes = 2, .orphan_wait = kOrphanWait});
  mesh.nodes[1].frozen = true;
  const absl::Duration lease = absl::Milliseconds(150);
  After(mesh, lease, [&] {
    LoadAll(mesh, 0);
    ASSERT_OK(mesh.dispatcher->SetPlacement(AllOn({NodeId{100}}, 2)));
  });
  const absl::Time start = mesh.clock.Now();
  EXPECT_EQ(*mesh.Run(batch_), expected_);
  // Sent at 0, 20 and 60 ms, and otherwise again at 140 and 300 ms.
  EXPECT_LE(mesh.clock.Now() - start, lease + absl::Milliseconds(5));
}

TEST_F(DispatcherOrphan, TakesAnswersToFramesOfTheTableBefore) {
  MoeMesh mesh(model_, {.num_nodes = 2, .orphan_wait = kOrphanWait});
  const auto handle = mesh.dispatcher->Dispatch(batch_.View());
  ASSERT_OK(handle);
  // Node 100 leaves the table while its answer is under way.
  LoadAll(mesh, 1);
  ASSERT_OK(mesh.dispatcher->SetPlacement(AllOn({NodeId{101}}, 2)));
  EXPECT_EQ(*mesh.Combine(*handle, batch_), expected_);
  EXPECT_EQ(mesh.dispatcher->Counters().frames_resent, 0);
  EXPECT_EQ(mesh.dispatcher->Counters().dropped_foreign, 0);
}

TEST_F(DispatcherOrphan, AsksTheNodesOfANewTableWhatTheOldOnesDidNotHold) {
  MoeMesh mesh(model_,
               {.num_nodes = 2, .num_replicas = 2, .orphan_wait = kOrphanWait});
  for (auto& node : mesh.nodes) {
    ASSERT_OK(node.shard->Unload(batch_.layer, batch_.experts[0]));
  }
  mesh.AddNode(model_, 2);
  LoadAll(mesh, 2);
  After(mesh, absl::Milliseconds(100), [&] {
    ASSERT_OK(mesh.dispatcher->SetPlacement(
        AllOn({NodeId{100}, NodeId{101}, NodeId{102}}, 2)));
  });
  const absl::Time start = mesh.clock.Now();
  EXPECT_EQ(*mesh.Run(batch_), expected_);
  EXPECT_GT(mesh.dispatcher->Counters().not_held, 0);
  EXPECT_LE(mesh.clock.Now() - start, absl::Milliseconds(110));
}

TEST_F(DispatcherOrphan, AsksAgainWhoHasLoadedTheExpertMeanwhile) {
  MoeMesh mesh(model_, {.num_nodes = 2, .orphan_wait = kOrphanWait});
  for (auto& node : mesh.nodes) {
    if (!node.shard->Holds(batch_.layer, batch_.experts[0])) continue;
    ASSERT_OK(node.shard->Unload(batch_.layer, batch_.experts[0]));
  }
  After(mesh, absl::Seconds(1), [&] {
    LoadAll(mesh, 0);
    LoadAll(mesh, 1);
  });
  const absl::Time start = mesh.clock.Now();
  EXPECT_EQ(*mesh.Run(batch_), expected_);
  EXPECT_LE(mesh.clock.Now() - start, absl::Seconds(1.3));
}

TEST_F(DispatcherOrphan, FailsWhatIsUnderWayWhenAborted) {
  MoeMesh mesh(model_, {.num_nodes = 2, .orphan_wait = kOrphanWait});
  mesh.Kill(1);
  After(mesh, absl::Milliseconds(50), [&] {
    mesh.dispatcher->Abort(absl::UnavailableError("the node is stopping"));
  });
  EXPECT_THAT(mesh.Run(batch_).status(),
              StatusIs(absl::StatusCode::kUnavailable,
                       HasSubstr("the node is stopping")));
  EXPECT_THAT(mesh.Run(batch_).status(),
              StatusIs(absl::StatusCode::kUnavailable,
                       HasSubstr("the node is stopping")));
}

TEST_F(DispatcherOrphan, TellsOnceThatANodeIsLost) {
  std::vector<NodeId> lost;
  MoeMesh mesh(model_,
               {.num_nodes = 2,
                .num_replicas = 2,
                .node_lost = [&](NodeId node, const absl::Status& reason) {
                  EXPECT_FALSE(reason.ok());
                  lost.push_back(node);
                }});
  mesh.Kill(1);
  EXPECT_EQ(*mesh.Run(batch_), expected_);
  EXPECT_EQ(*mesh.Run(batch_), expected_);
  EXPECT_EQ(lost, std::vector{NodeId{101}});
}

}  // namespace
}  // namespace mesh::router
