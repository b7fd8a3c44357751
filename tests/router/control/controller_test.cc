// SPDX-License-Identifier: Apache-2.0
#include "router/control/controller.h"

#include <gtest/gtest.h>

#include "router/placement/even_placement.h"
#include "tests/router/control/fake_mesh.h"
#include "tests/support/status_matchers.h"

namespace mesh::router {
namespace {

using ::testing::HasSubstr;

constexpr size_t kAll = 2 * 16;  // experts of the fake model

// Two attention nodes, a gateway and some expert nodes, at work.
class ControllerTest : public ::testing::Test {
 protected:
  void Begin(int num_experts, const FakeMesh::Options& options) {
    mesh_ = std::make_unique<FakeMesh>(options);
    for (int n = 0; n < num_experts; ++n) {
      mesh_->AddExpert("expert-" + std::to_string(n));
    }
    mesh_->AddAttention("attention-0");
    mesh_->AddAttention("attention-1");
    mesh_->AddGateway("gateway-0");
    mesh_->Run(absl::Seconds(3));
    ASSERT_TRUE(mesh_->IsCovered());
  }
  void Begin(int num_experts) { Begin(num_experts, FakeMesh::Options()); }
  void BeginWithReplicas(int num_experts, int num_replicas) {
    FakeMesh::Options options;
    options.controller.placement.num_replicas = num_replicas;
    Begin(num_experts, options);
  }
  void ExpectAllAdopted() {
    EXPECT_TRUE(mesh_->IsCovered());
    for (const char* name : {"attention-0", "attention-1"}) {
      const FakeNode& node = (*mesh_)[name];
      ASSERT_NE(node.table, nullptr);
      EXPECT_EQ(node.table->placement->Epoch(), mesh_->Epoch());
      EXPECT_TRUE(node.adopted);
    }
    EXPECT_EQ(mesh_->Control().Activity(), "");
  }

  std::unique_ptr<FakeMesh> mesh_;
};

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

TEST_F(ControllerTest, ARestartedRouterTakesOverWithoutAnyChange) {
  Begin(4);
  const uint64_t epoch = mesh_->Epoch();
  const NodeId id = (*mesh_)["expert-3"].welcome->id;
  mesh_->RestartRouter(2);
  mesh_->Join("attention-0");
  mesh_->Run(absl::Milliseconds(500));
  for (int n = 0; n < 4; ++n) mesh_->Join("expert-" + std::to_string(n));
  mesh_->Run(absl::Seconds(2));
  mesh_->Join("attention-1");
  mesh_->Join("gateway-0");
  mesh_->Run(absl::Seconds(3));
  EXPECT_EQ(mesh_->Epoch(), epoch);
  EXPECT_EQ((*mesh_)["expert-3"].welcome->id, id);
  EXPECT_EQ(mesh_->CountNotes("epoch_loading"), 1U);
  ExpectAllAdopted();
  // It places on, under its own term.
  mesh_->AddExpert("expert-4");
  mesh_->Run(absl::Seconds(3));
  EXPECT_EQ(mesh_->Epoch() >> 32, 2U);
  ExpectAllAdopted();
}

TEST_F(ControllerTest, ARestartedRouterWaitsForNodesOfTheTable) {
  Begin(3);
  mesh_->RestartRouter(2);
  mesh_->Join("attention-0");
  mesh_->Join("attention-1");
  mesh_->Join("expert-0");
  mesh_->Join("expert-1");
  mesh_->Run(absl::Seconds(3));
  EXPECT_EQ(mesh_->Epoch(), 0U);
  EXPECT_THAT(mesh_->Control().Activity(), HasSubstr("waiting for expert-2"));
  // It never comes: after five seconds the others take its experts.
  mesh_->Run(absl::Seconds(5));
  ExpectAllAdopted();
  EXPECT_EQ(mesh_->NumPlaced("expert-0") + mesh_->NumPlaced("expert-1"), kAll);
}

TEST_F(ControllerTest, ARouterThatLostItsTermTakesAHigherOne) {
  Begin(2);
  mesh_->RestartRouter(1);
  for (const char* name :
       {"attention-0", "attention-1", "expert-0", "expert-1"}) {
    mesh_->Join(name);
  }
  EXPECT_EQ(mesh_->Control().Term(), 2U);
  mesh_->Run(absl::Seconds(3));
  ExpectAllAdopted();
}

TEST_F(ControllerTest, ARouterOfALowerTermStepsAside) {
  Begin(2);
  FakeNode& node = mesh_->AddExpert("expert-2");
  mesh_->Kill("expert-2");
  node.hello.seen_term = 7;
  mesh_->Join("expert-2");
  ASSERT_TRUE(node.closed.has_value());
  EXPECT_THAT(*node.closed, StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_EQ(mesh_->CountNotes("stepped_aside"), 1U);
  const uint64_t epoch = mesh_->Epoch();
  mesh_->Kill("expert-1");
  mesh_->Run(absl::Seconds(3));
  EXPECT_EQ(mesh_->Epoch(), epoch);
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

TEST_F(ControllerTest, ALeaseWithoutHeartbeatsEndsTheMembership) {
  Begin(3);
  (*mesh_)["expert-0"].mute = true;
  mesh_->Run(absl::Seconds(5));
  EXPECT_THAT(*(*mesh_)["expert-0"].closed,
              StatusIs(absl::StatusCode::kDeadlineExceeded));
  ExpectAllAdopted();
}

TEST_F(ControllerTest, RefusesAnotherModelClassOrShape) {
  Begin(2);
  const auto refused = [&](auto spoil) {
    FakeNode& node = mesh_->AddExpert("expert-x");
    mesh_->Kill("expert-x");
    spoil(node.hello);
    mesh_->Join("expert-x");
    return node.closed.value_or(absl::OkStatus());
  };
  const auto precondition = StatusIs(absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(refused([](Hello& h) {
                h.model_digest = Digest{9, 9};
              }),
              precondition);
  EXPECT_THAT(refused([](Hello& h) { h.numerics_class = "f32-1"; }),
              precondition);
  EXPECT_THAT(refused([](Hello& h) { h.model->num_experts = 8; }),
              precondition);
  EXPECT_THAT(
      refused([](Hello& h) {
        h.holdings = {{{LayerId{1}, ExpertId{0}}, Digest{5, 5}}};
      }),
      StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("digest")));
  EXPECT_THAT(refused([](Hello& h) {
                h.holdings = {{{LayerId{7}, ExpertId{0}}, Digest{5, 5}}};
              }),
              StatusIs(absl::StatusCode::kInvalidArgument));
  mesh_->AddExpert("expert-2");
  mesh_->Run(absl::Seconds(3));
  EXPECT_GT(mesh_->NumPlaced("expert-2"), 0U);
  ExpectAllAdopted();
}

TEST_F(ControllerTest, RefusesANameThatIsAliveAndTooManyNodes) {
  FakeMesh::Options options;
  options.controller.membership.max_nodes = 3;
  FakeMesh mesh(options);
  mesh.AddExpert("expert-0");
  mesh.AddAttention("attention-0");
  FakeNode& gateway = mesh.AddGateway("gateway-0");
  FakeNode& fourth = mesh.AddGateway("gateway-1");
  EXPECT_THAT(*fourth.closed, StatusIs(absl::StatusCode::kResourceExhausted,
                                       HasSubstr("--max-nodes")));
  // The same process may come again, another may not.
  const ConnectionId before = gateway.connection;
  mesh.Join("gateway-0");
  EXPECT_FALSE(gateway.closed.has_value());
  EXPECT_NE(gateway.connection, before);
  gateway.hello.node.incarnation = 999;
  mesh.Join("gateway-0");
  EXPECT_THAT(*gateway.closed, StatusIs(absl::StatusCode::kAlreadyExists));
}

TEST_F(ControllerTest, IgnoresAdoptionOfWhatNeverWas) {
  Begin(2);
  mesh_->Control().OnAdopted((*mesh_)["attention-0"].connection, 99ULL << 32);
  EXPECT_EQ(mesh_->Control().NumIgnored(), 1U);
  mesh_->Control().OnAdopted((*mesh_)["expert-0"].connection, 1);
  EXPECT_THAT(*(*mesh_)["expert-0"].closed,
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(ControllerTest, AnotherModelMayComeOnceNobodyIsLeft) {
  Begin(1);
  for (const char* name : {"expert-0", "attention-0", "attention-1"}) {
    mesh_->Kill(name);
  }
  EXPECT_EQ(mesh_->Control().PlacementState(), nullptr);
  FakeNode& node = (*mesh_)["expert-0"];
  node.hello.model_digest = Digest{7, 7};
  mesh_->Restart("expert-0");
  mesh_->Run(absl::Seconds(3));
  EXPECT_TRUE(mesh_->IsCovered());
}

TEST_F(ControllerTest, AnOperatorsTableGoesThroughTheSameTwoPhases) {
  Begin(2);
  const NodeId first = (*mesh_)["expert-0"].welcome->id;
  const auto table = [&](uint64_t epoch, std::vector<NodeId> nodes) {
    return *EvenPlacement({.epoch = epoch,
                           .layers = mesh_->Shape().moe_layers,
                           .num_experts = 16,
                           .nodes = std::move(nodes)});
  };
  const auto activate = [&](uint64_t epoch, std::vector<NodeId> nodes) {
    return mesh_->Control().ActivatePlacement(*table(epoch, nodes));
  };
  const uint64_t next = mesh_->Epoch() + 1;
  EXPECT_THAT(activate(2ULL << 32 | 2, {first}),
              StatusIs(absl::StatusCode::kAborted, HasSubstr("stale_term")));
  EXPECT_THAT(activate(next - 1, {first}),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(activate(next + 1, {first}),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(activate(next, {NodeId{77}}),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(mesh_->Control().ActivatePlacement(
                  **EvenPlacement({.epoch = next,
                                   .layers = {LayerId{1}},
                                   .num_experts = 16,
                                   .nodes = {first}})),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("uncovered_expert")));
  EXPECT_OK(activate(next, {first}));
  mesh_->Run(absl::Seconds(2));
  EXPECT_EQ(mesh_->NumPlaced("expert-0"), kAll);
  EXPECT_EQ(mesh_->NumPlaced("expert-1"), 0U);
  ExpectAllAdopted();
}

TEST_F(ControllerTest, CountsLoadExactlyAndRefusesNonsense) {
  Begin(1);
  const ExpertKey key{LayerId{2}, ExpertId{3}};
  const ConnectionId attention = (*mesh_)["attention-0"].connection;
  Controller& control = mesh_->Control();
  control.OnLoad(attention, std::vector<ExpertTokens>{{key, 40}});
  control.OnLoad(attention, std::vector<ExpertTokens>{{key, 40}});
  control.OnLoad(attention, std::vector<ExpertTokens>{{key, 50}});
  control.OnLoad((*mesh_)["attention-1"].connection,
                 std::vector<ExpertTokens>{{key, 5}});
  const auto total = control.ReadLoad(LoadSpan::kTotal, {});
  ASSERT_OK(total);
  EXPECT_EQ(total->layers[1].tokens[3], 55U);
  EXPECT_DOUBLE_EQ(total->layers[1].imbalance, 16);
  // Backwards and out of all reason: ignored, counted.
  control.OnLoad(attention, std::vector<ExpertTokens>{{key, 49}});
  control.OnLoad(attention, std::vector<ExpertTokens>{{key, UINT64_MAX}});
  EXPECT_EQ(control.NumIgnored(), 2U);
  // Of an expert that is not there, or by the wrong role: the node must go.
  control.OnLoad((*mesh_)["attention-1"].connection,
                 std::vector<ExpertTokens>{{{LayerId{9}, ExpertId{0}}, 1}});
  EXPECT_THAT(*(*mesh_)["attention-1"].closed,
              StatusIs(absl::StatusCode::kInvalidArgument));
  control.OnLoad((*mesh_)["gateway-0"].connection,
                 std::vector<ExpertTokens>{{key, 1}});
  EXPECT_THAT(*(*mesh_)["gateway-0"].closed,
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_EQ(control.ReadLoad(LoadSpan::kTotal, {})->layers[1].tokens[3], 55U);
}

TEST_F(ControllerTest, HasNothingToDoWhileNothingHappens) {
  Begin(4);
  // Only leases remain.
  EXPECT_EQ(mesh_->Control().NextDeadline(), mesh_->Now() + absl::Seconds(2));
}

}  // namespace
}  // namespace mesh::router
