// SPDX-License-Identifier: Apache-2.0
// Nodes that misbehave, and that the mesh works on.
#include "router/control/membership_service.h"

#include "service/handshake_proto.h"
#include "tests/router/control/router_fixture.h"
#include "tests/support/http_get.h"

namespace mesh::router {
namespace {

using common::v1::ROLE_ATTENTION;
using common::v1::ROLE_EXPERT;
using common::v1::ROLE_GATEWAY;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;

class MembershipServiceTest : public RouterFixture {
 protected:
  void Begin(const RouterServer::Options& options) {
    StartRouter(options);
    expert_ = JoinExpert("expert-0");
    attention_ = JoinAttention("attention-0");
    ASSERT_TRUE(attention_->AwaitPlacement(1));
  }
  void Begin() { Begin(QuickOptions()); }

  absl::Status EndOf(const v1::JoinHello& hello) {
    return RawNode(Address(), hello).End();
  }
  // A node without fault joins and gets the table, and the one at work is still
  // there.
  void ExpectGoodWork() {
    RawNode node(Address(), SoundHello(ROLE_ATTENTION, "attention-1"));
    EXPECT_TRUE(node.ReadUntil(v1::JoinResponse::kWelcome).has_value());
    const auto table = node.ReadUntil(v1::JoinResponse::kPlacement);
    ASSERT_TRUE(table.has_value());
    EXPECT_EQ(table->placement().nodes_size(), 1);
    EXPECT_TRUE(node.Sync());
    EXPECT_EQ(expert_->Look().welcomes, 1);
  }

  std::unique_ptr<SoundNode> expert_;
  std::unique_ptr<SoundNode> attention_;
};

TEST_F(MembershipServiceTest, RefusesAnotherProtocolWithBothRanges) {
  Begin();
  v1::JoinHello hello = SoundHello(ROLE_EXPERT, "expert-9");
  hello.mutable_handshake()->set_min_protocol_version(99);
  hello.mutable_handshake()->set_max_protocol_version(99);
  EXPECT_THAT(
      EndOf(hello),
      StatusIs(kPrecondition,
               HasSubstr("expert-9 speaks protocol 99 to 99, this node 1 to "
                         "1")));
  ExpectGoodWork();
}

TEST_F(MembershipServiceTest, RefusesAnotherModelWithBothDigests) {
  Begin();
  v1::JoinHello hello = SoundHello(ROLE_EXPERT, "expert-9");
  hello.mutable_handshake()->set_model_digest(
      service::DigestBytes(Digest{9, 9}));
  EXPECT_THAT(EndOf(hello),
              StatusIs(kPrecondition, AllOf(HasSubstr(Digest{9, 9}.ToHex()),
                                            HasSubstr(Digest{1, 2}.ToHex()))));
  ExpectGoodWork();
}

TEST_F(MembershipServiceTest, RefusesOtherNumericsWithBothClasses) {
  Begin();
  v1::JoinHello hello = SoundHello(ROLE_EXPERT, "expert-9");
  hello.mutable_handshake()->set_numerics_class("f32-1");
  EXPECT_THAT(EndOf(hello),
              StatusIs(kPrecondition,
                       AllOf(HasSubstr("\"f32-1\""), HasSubstr("\"bf16-1\""))));
  ExpectGoodWork();
}

TEST_F(MembershipServiceTest, RefusesHoldingsThatCannotBe) {
  Begin();
  const auto end_with = [this](uint32_t layer, uint32_t expert,
                               const std::string& digest) {
    v1::JoinHello hello = SoundHello(ROLE_EXPERT, "expert-9");
    common::v1::Holding& holding = *hello.add_holdings();
    holding.mutable_key()->set_layer(layer);
    holding.mutable_key()->set_expert(expert);
    holding.set_digest(digest);
    return EndOf(hello);
  };
  const std::string digest = service::DigestBytes(Digest{5, 5});
  EXPECT_THAT(end_with(1, 256, digest),
              StatusIs(kInvalid, HasSubstr("expert 256 of layer 1")));
  EXPECT_THAT(end_with(7, 0, digest),
              StatusIs(kInvalid, HasSubstr("expert 0 of layer 7")));
  EXPECT_THAT(end_with(UINT32_MAX, 0, digest),
              StatusIs(kInvalid, HasSubstr("no expert 0 of layer")));
  EXPECT_THAT(end_with(1, 0, ""),
              StatusIs(kInvalid, HasSubstr("a digest of 0 bytes")));
  // Weights that differ from what another node has.
  EXPECT_THAT(end_with(1, 0, digest),
              StatusIs(kPrecondition, HasSubstr("has digest")));
  ExpectGoodWork();
}

TEST_F(MembershipServiceTest, RefusesAHelloWithoutWhatItsRoleMustTell) {
  Begin();
  const auto end_with = [this](auto spoil) {
    v1::JoinHello hello = SoundHello(ROLE_EXPERT, "expert-9");
    spoil(hello);
    return EndOf(hello);
  };
  EXPECT_THAT(end_with([](auto& hello) {
                hello.mutable_handshake()->clear_model_digest();
              }),
              StatusIs(kInvalid, HasSubstr("handshake")));
  EXPECT_THAT(end_with([](auto& hello) { hello.clear_model(); }),
              StatusIs(kInvalid, HasSubstr("model")));
  EXPECT_THAT(end_with([](auto& hello) {
                hello.mutable_node()->set_role(common::v1::ROLE_ROUTER);
              }),
              StatusIs(kInvalid, HasSubstr("node.role")));
  EXPECT_THAT(end_with([](auto& hello) {
                hello.mutable_node()->set_name("../expert");
              }),
              StatusIs(kInvalid, HasSubstr("node.name")));
  ExpectGoodWork();
}

TEST_F(MembershipServiceTest, AStreamBeginsWithOneHello) {
  Begin();
  RawNode early(Address());
  EXPECT_FALSE(early.Sync());
  EXPECT_THAT(early.End(), StatusIs(kInvalid, HasSubstr("must be a hello")));

  RawNode empty(Address());
  empty.Send({});
  EXPECT_THAT(empty.End(), StatusIs(kInvalid));

  const v1::JoinHello hello = SoundHello(ROLE_GATEWAY, "gateway-0");
  RawNode twice(Address(), hello);
  twice.SendHello(hello);
  EXPECT_THAT(twice.End(), StatusIs(kInvalid, HasSubstr("a second hello")));
  ExpectGoodWork();
}

TEST_F(MembershipServiceTest, AnyHeartbeatNumberIsAnswered) {
  Begin();
  RawNode node(Address(), SoundHello(ROLE_GATEWAY, "gateway-0"));
  EXPECT_TRUE(node.Sync(UINT64_MAX));
  EXPECT_TRUE(node.Sync(0));
  ExpectGoodWork();
}

TEST_F(MembershipServiceTest, RefusesLoadOfAnExpertThatIsNotThere) {
  Begin();
  v1::JoinRequest load;
  load.mutable_load()->add_experts()->set_layer(9);
  RawNode attention(Address(), SoundHello(ROLE_ATTENTION, "attention-2"));
  attention.Send(load);
  EXPECT_THAT(attention.End(),
              StatusIs(kInvalid, HasSubstr("expert 0 of layer 9")));
  // Nor does one count that does not route.
  load.mutable_load()->mutable_experts(0)->set_layer(1);
  RawNode gateway(Address(), SoundHello(ROLE_GATEWAY, "gateway-0"));
  gateway.Send(load);
  EXPECT_THAT(gateway.End(), StatusIs(kInvalid, HasSubstr("load")));
  ExpectGoodWork();
}

TEST_F(MembershipServiceTest, CountersThatGoBackAreIgnoredAndCounted) {
  Begin();
  RawNode node(Address(), SoundHello(ROLE_ATTENTION, "attention-2"));
  v1::JoinRequest request;
  v1::ExpertLoad& load = *request.mutable_load()->add_experts();
  load.set_layer(1);
  for (const uint64_t total : {uint64_t{40}, uint64_t{39}, UINT64_MAX}) {
    load.set_tokens_total(total);
    node.Send(request);
  }
  EXPECT_TRUE(node.Sync());
  v1::GetExpertLoadRequest query;
  query.set_window(v1::LOAD_WINDOW_TOTAL);
  v1::GetExpertLoadResponse answer;
  ASSERT_OK(Call<v1::PlacementService>(
      &v1::PlacementService::Stub::GetExpertLoad, query, &answer));
  EXPECT_EQ(answer.load().layers(0).tokens(0), 40U);
  const absl::Time limit = absl::Now() + absl::Seconds(20);
  std::string metrics;
  while (metrics.find("mesh_router_ignored_reports_total 2") ==
             std::string::npos &&
         absl::Now() < limit) {
    metrics = HttpGet(router_->MetricsAddress(), "/metrics");
  }
  EXPECT_THAT(metrics, HasSubstr("mesh_router_ignored_reports_total 2"));
  ExpectGoodWork();
}

TEST_F(MembershipServiceTest, RefusesANodeBeyondTheMost) {
  RouterServer::Options options = QuickOptions();
  options.max_nodes = 3;
  Begin(options);
  {
    RawNode third(Address(), SoundHello(ROLE_GATEWAY, "gateway-0"));
    EXPECT_TRUE(third.Sync());
    EXPECT_THAT(EndOf(SoundHello(ROLE_GATEWAY, "gateway-1")),
                StatusIs(absl::StatusCode::kResourceExhausted,
                         HasSubstr("raise --max-nodes")));
  }
  // There is room again as soon as the router hears that the third is gone.
  const absl::Time limit = absl::Now() + absl::Seconds(20);
  bool joined = false;
  while (!joined && absl::Now() < limit) {
    joined = RawNode(Address(), SoundHello(ROLE_GATEWAY, "gateway-1")).Sync();
  }
  EXPECT_TRUE(joined);
}

TEST_F(MembershipServiceTest, RefusesANameThatIsAlive) {
  Begin();
  v1::JoinHello hello = SoundHello(ROLE_EXPERT, "expert-0");
  hello.mutable_node()->set_incarnation(2);
  EXPECT_THAT(EndOf(hello), StatusIs(absl::StatusCode::kAlreadyExists,
                                     HasSubstr("choose another --name")));
  ExpectGoodWork();
}

TEST_F(MembershipServiceTest, ADrainedNodeIsReleasedOnceOthersHostItsExperts) {
  StartRouter(QuickOptions());
  const auto first = JoinExpert("expert-0");
  const auto second = JoinExpert("expert-1");
  const auto attention = JoinAttention("attention-0");
  ASSERT_TRUE(attention->AwaitPlacement(2));

  v1::DrainNodeRequest request;
  v1::DrainNodeResponse response;
  request.set_name("expert-7");
  EXPECT_THAT(Call<v1::MembershipService>(
                  &v1::MembershipService::Stub::DrainNode, request, &response),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("expert-7")));
  request.set_name("expert-1");
  ASSERT_OK(Call<v1::MembershipService>(&v1::MembershipService::Stub::DrainNode,
                                        request, &response));
  EXPECT_TRUE(second->Await([](const auto& node) { return node.released; }));
  EXPECT_TRUE(attention->AwaitPlacement(1));
  EXPECT_EQ(attention->Look().placement.nodes(0).name(), "expert-0");
  EXPECT_EQ(first->Look().held.size(), size_t{kAllExperts});
  EXPECT_FALSE(first->Look().released);

  v1::ListNodesResponse nodes;
  ASSERT_OK(Call<v1::MembershipService>(&v1::MembershipService::Stub::ListNodes,
                                        v1::ListNodesRequest(), &nodes));
  ASSERT_EQ(nodes.nodes_size(), 3);
  for (const v1::NodeState& node : nodes.nodes()) {
    const bool drained = node.node().name() == "expert-1";
    EXPECT_EQ(node.health() == v1::NODE_HEALTH_DRAINING, drained);
  }
}

TEST_F(MembershipServiceTest, ANodeThatLeavesByItselfIsReleased) {
  StartRouter(QuickOptions());
  const auto first = JoinExpert("expert-0");
  const auto second = JoinExpert("expert-1");
  const auto attention = JoinAttention("attention-0");
  ASSERT_TRUE(attention->AwaitPlacement(2));
  second->Leave();
  attention->Leave();
  EXPECT_TRUE(attention->Await([](const auto& node) { return node.released; }));
  EXPECT_TRUE(second->Await([](const auto& node) { return node.released; }));
}

}  // namespace
}  // namespace mesh::router
