// SPDX-License-Identifier: Apache-2.0
// Joins, reports and calls that are refused or ignored, and those that count.
#include "router/control/controller.h"
#include "router/placement/even_placement.h"
#include "tests/router/control/controller_fixture.h"
#include "tests/support/status_matchers.h"

namespace mesh::router {
namespace {

using ::testing::HasSubstr;

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

}  // namespace
}  // namespace mesh::router
