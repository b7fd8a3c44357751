// SPDX-License-Identifier: Apache-2.0
// How placements follow from who is there.
#include "router/control/controller.h"

#include "tests/router/control/controller_fixture.h"
#include "tests/support/status_matchers.h"

namespace mesh::router {
namespace {

using ::testing::HasSubstr;

TEST_F(ControllerTest, PlacesEvenlyOnceNobodyElseJoins) {
  Begin(4);
  for (int n = 0; n < 4; ++n) {
    EXPECT_EQ(mesh_->NumPlaced("expert-" + std::to_string(n)), kAll / 4);
  }
  EXPECT_EQ(mesh_->Epoch(), 1ULL << 32 | 1);
  EXPECT_EQ(mesh_->CountNotes("epoch_active"), 1U);
  EXPECT_EQ((*mesh_)["gateway-0"].attention_nodes.size(), 2U);
  ExpectAllAdopted();
}

TEST_F(ControllerTest, TheFirstPlacementWaitsForEnoughNodes) {
  FakeMesh::Options options;
  options.controller.placement.settling.min_expert_nodes = 3;
  FakeMesh mesh(options);
  mesh.AddExpert("expert-0");
  mesh.AddExpert("expert-1");
  mesh.Run(absl::Seconds(20));
  EXPECT_EQ(mesh.Epoch(), 0U);
  EXPECT_EQ(mesh.Control().Activity(), "waiting for expert nodes: 2 of 3");
  mesh.AddExpert("expert-2");
  mesh.Run(absl::Seconds(2));
  EXPECT_TRUE(mesh.IsCovered());
}

TEST_F(ControllerTest, AJoinMovesOneShareAndFreesItElsewhere) {
  Begin(3);
  mesh_->AddExpert("expert-3");
  mesh_->Run(absl::Seconds(3));
  ExpectAllAdopted();
  size_t held = 0;
  for (int n = 0; n < 4; ++n) {
    const std::string name = "expert-" + std::to_string(n);
    EXPECT_EQ(mesh_->NumPlaced(name), kAll / 4);
    held += (*mesh_)[name].held.size();
  }
  EXPECT_EQ(held, kAll);
  EXPECT_EQ(mesh_->Control().PlacementState()->GetCounters().moved_bytes,
            (kAll + kAll / 4) * 100);
}

TEST_F(ControllerTest, NothingIsFreedBeforeAttentionNodesAdopt) {
  Begin(3);
  (*mesh_)["attention-1"].stubborn = true;
  mesh_->AddExpert("expert-3");
  mesh_->Run(absl::Seconds(5));
  size_t held = 0;
  for (int n = 0; n < 4; ++n) {
    held += (*mesh_)["expert-" + std::to_string(n)].held.size();
  }
  EXPECT_EQ(held, kAll + kAll / 4);
  EXPECT_THAT(mesh_->Control().Activity(),
              HasSubstr("waiting for attention-1 to adopt it"));
  // Until the hold time is over.
  mesh_->Run(absl::Seconds(30));
  EXPECT_EQ((*mesh_)["expert-0"].held.size(), kAll / 4);
}

TEST_F(ControllerTest, AnAttentionNodeThatIsGoneDelaysFreeingUntilItIsBack) {
  Begin(2);
  mesh_->Kill("attention-1");
  mesh_->AddExpert("expert-2");
  mesh_->Run(absl::Seconds(5));
  EXPECT_EQ((*mesh_)["expert-0"].held.size(), kAll / 2);
  mesh_->Restart("attention-1");
  mesh_->Run(absl::Seconds(1));
  EXPECT_LT((*mesh_)["expert-0"].held.size(), kAll / 2);
  ExpectAllAdopted();
}

TEST_F(ControllerTest, ALossWithReplicasRestoresThem) {
  BeginWithReplicas(4, 2);
  mesh_->Kill("expert-1");
  mesh_->Run(absl::Seconds(2));
  ExpectAllAdopted();
  size_t copies = 0;
  for (const char* name : {"expert-0", "expert-2", "expert-3"}) {
    copies += mesh_->NumPlaced(name);
  }
  EXPECT_EQ(copies, 2 * kAll);
  EXPECT_EQ(mesh_->Control().PlacementState()->GetCounters().changes,
            (std::map<std::string, uint64_t>{{"first", 1}, {"loss", 1}}));
}

TEST_F(ControllerTest, OrphansAreLoadedFirstAndAtOnce) {
  Begin(4);
  const auto lost = (*mesh_)["expert-1"].held;
  for (const char* name : {"expert-0", "expert-2", "expert-3"}) {
    (*mesh_)[name].slow = true;
  }
  mesh_->Kill("expert-1");
  size_t orphans = 0;
  for (const char* name : {"expert-0", "expert-2", "expert-3"}) {
    ASSERT_FALSE((*mesh_)[name].waiting.empty()) << name;
    const HostingOrder& order = (*mesh_)[name].waiting.back();
    EXPECT_EQ(order.phase, HostingPhase::kLoad);
    const size_t new_here = order.experts.size() - (*mesh_)[name].held.size();
    for (size_t i = 0; i < new_here; ++i) {
      EXPECT_EQ(lost.count(order.experts[i]), 1U);
    }
    orphans += new_here;
  }
  EXPECT_EQ(orphans, lost.size());
  EXPECT_THAT(mesh_->Control().Activity(), HasSubstr("(orphans): waiting for"));
  for (const char* name : {"expert-0", "expert-2", "expert-3"}) {
    (*mesh_)[name].slow = false;
  }
  mesh_->Run(absl::Seconds(2));
  ExpectAllAdopted();
}

TEST_F(ControllerTest, ANodeThatDiesWhileLoadingDoesNotWedgeTheRollout) {
  Begin(4);
  (*mesh_)["expert-2"].slow = true;
  mesh_->Kill("expert-1");
  mesh_->Run(absl::Seconds(1));
  mesh_->Kill("expert-2");
  mesh_->Run(absl::Seconds(3));
  EXPECT_GE(mesh_->CountNotes("epoch_abandoned"), 1U);
  ExpectAllAdopted();
  EXPECT_EQ(mesh_->NumPlaced("expert-0") + mesh_->NumPlaced("expert-3"), kAll);
}

TEST_F(ControllerTest, ANodeThatDoesNotGoOnIsPlannedAround) {
  Begin(2);
  FakeNode& third = mesh_->AddExpert("expert-2");
  third.slow = true;
  mesh_->Run(absl::Minutes(6));
  EXPECT_GE(mesh_->CountNotes("order_failed expert-2 no progress"), 1U);
  EXPECT_EQ(mesh_->NumPlaced("expert-2"), 0U);
  EXPECT_TRUE(mesh_->IsCovered());
}

TEST_F(ControllerTest, ANodeThatCannotLoadIsPlannedAroundAndTriedAgain) {
  Begin(2);
  FakeNode& third = mesh_->AddExpert("expert-2");
  third.error = "the disk failed";
  mesh_->Run(absl::Seconds(5));
  EXPECT_EQ(mesh_->NumPlaced("expert-2"), 0U);
  ExpectAllAdopted();
  const size_t failures = mesh_->CountNotes("order_failed");
  EXPECT_EQ(failures, 1U);
  third.error.clear();
  mesh_->Run(absl::Seconds(40));
  EXPECT_GT(mesh_->NumPlaced("expert-2"), 0U);
  ExpectAllAdopted();
}

TEST_F(ControllerTest, ADrainedNodeIsReleasedOnceNobodyUsesIt) {
  Begin(4);
  (*mesh_)["attention-0"].stubborn = true;
  mesh_->Leave("expert-2");
  mesh_->Run(absl::Seconds(3));
  EXPECT_EQ(mesh_->NumPlaced("expert-2"), 0U);
  EXPECT_FALSE((*mesh_)["expert-2"].released);
  EXPECT_FALSE((*mesh_)["expert-2"].held.empty());
  (*mesh_)["attention-0"].stubborn = false;
  mesh_->Run(absl::Seconds(1));
  EXPECT_TRUE((*mesh_)["expert-2"].released);
  ExpectAllAdopted();
  mesh_->Kill("expert-2");
  EXPECT_EQ(mesh_->CountNotes("node_left expert-2"), 1U);
  mesh_->Run(absl::Seconds(3));
  EXPECT_EQ(mesh_->CountNotes("epoch_active"), 2U);
}

TEST_F(ControllerTest, AnOperatorDrainsByName) {
  Begin(3);
  EXPECT_THAT(mesh_->Control().DrainNode("expert-9"),
              StatusIs(absl::StatusCode::kNotFound));
  EXPECT_OK(mesh_->Control().DrainNode("expert-0"));
  mesh_->Run(absl::Seconds(3));
  EXPECT_TRUE((*mesh_)["expert-0"].released);
  EXPECT_TRUE((*mesh_)["expert-0"].held.empty());
  ExpectAllAdopted();
}

TEST_F(ControllerTest, TheLastRoomIsNotDrained) {
  FakeMesh mesh;
  mesh.AddExpert("expert-0", kAll / 2);
  mesh.AddExpert("expert-1", kAll / 2);
  mesh.Run(absl::Seconds(3));
  mesh.Leave("expert-1");
  mesh.Run(absl::Seconds(3));
  EXPECT_FALSE(mesh["expert-1"].released);
  EXPECT_TRUE(mesh.IsCovered());
  EXPECT_THAT(mesh.Control().Activity(), HasSubstr("add a node"));
  mesh.AddExpert("expert-2", kAll / 2);
  mesh.Run(absl::Seconds(3));
  EXPECT_TRUE(mesh["expert-1"].released);
  EXPECT_TRUE(mesh.IsCovered());
}

TEST_F(ControllerTest, RoomIsMadeWhereTheLastCopiesMustGo) {
  FakeMesh::Options options;
  options.controller.placement.num_replicas = 2;
  FakeMesh mesh(options);
  for (int n = 0; n < 4; ++n) {
    mesh.AddExpert("expert-" + std::to_string(n), kAll / 2);
  }
  mesh.Run(absl::Seconds(3));
  ASSERT_TRUE(mesh.IsCovered());
  mesh.Kill("expert-0");
  mesh.Run(absl::Seconds(3));
  ASSERT_TRUE(mesh.IsCovered());
  mesh.Kill("expert-1");
  mesh.Run(absl::Seconds(3));
  EXPECT_TRUE(mesh.IsCovered());
  EXPECT_EQ(mesh.CountNotes("order_failed"), 0U);
}

TEST_F(ControllerTest, ARestartedExpertNodeIsPlacedUnderItsNewAddress) {
  Begin(3);
  const NodeId id = (*mesh_)["expert-1"].welcome->id;
  mesh_->Restart("expert-1");
  mesh_->Run(absl::Seconds(5));
  ExpectAllAdopted();
  EXPECT_EQ((*mesh_)["expert-1"].welcome->id, id);
  const auto active = mesh_->Control().PlacementState()->Active();
  for (const NodeIdentity& node : active->nodes) {
    EXPECT_EQ(node.grpc_address, (*mesh_)[node.name].hello.node.grpc_address);
  }
  EXPECT_GT(mesh_->NumPlaced("expert-1"), 0U);
}

TEST_F(ControllerTest, HasNothingToDoWhileNothingHappens) {
  Begin(4);
  // Only leases remain.
  EXPECT_EQ(mesh_->Control().NextDeadline(), mesh_->Now() + absl::Seconds(2));
}

}  // namespace
}  // namespace mesh::router
