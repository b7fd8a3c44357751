// SPDX-License-Identifier: Apache-2.0
// What a router does that comes after another, or before one.
#include "router/control/controller.h"
#include "tests/router/control/controller_fixture.h"
#include "tests/support/status_matchers.h"

namespace mesh::router {
namespace {

using ::testing::HasSubstr;

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

TEST_F(ControllerTest, ARouterThatStopsTakesItsNodesForNoLoss) {
  Begin(2);
  mesh_->Control().StepAside("the router is stopping");
  mesh_->Kill("expert-0");
  mesh_->Run(absl::Seconds(3));
  EXPECT_EQ(mesh_->CountNotes("epoch_loading"), 1U);
  EXPECT_EQ(mesh_->Control().Activity(), "the router is stopping");
  mesh_->Join("expert-0");
  EXPECT_THAT(*(*mesh_)["expert-0"].closed,
              StatusIs(absl::StatusCode::kUnavailable));
}

}  // namespace
}  // namespace mesh::router
