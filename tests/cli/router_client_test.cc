// SPDX-License-Identifier: Apache-2.0
#include "cli/router_client.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "mesh/router/v1/membership_service.grpc.pb.h"
#include "mesh/router/v1/placement_service.grpc.pb.h"
#include "tests/cli/test_server.h"

namespace mesh::cli {
namespace {

namespace v1 = router::v1;

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

class FakeMembership final : public v1::MembershipService::CallbackService {
 public:
  grpc::ServerUnaryReactor* ListNodes(
      grpc::CallbackServerContext* context, const v1::ListNodesRequest*,
      v1::ListNodesResponse* response) override {
    *response = nodes;
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(outcome);
    return reactor;
  }

  v1::ListNodesResponse nodes;
  grpc::Status outcome;
};

class FakePlacement final : public v1::PlacementService::CallbackService {
 public:
  grpc::ServerUnaryReactor* GetPlacement(
      grpc::CallbackServerContext* context, const v1::GetPlacementRequest*,
      v1::GetPlacementResponse* response) override {
    *response->mutable_placement() = placement;
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

  grpc::ServerUnaryReactor* GetExpertLoad(
      grpc::CallbackServerContext* context,
      const v1::GetExpertLoadRequest* request,
      v1::GetExpertLoadResponse* response) override {
    v1::ExpertLoadTable& load = *response->mutable_load();
    load.set_window(request->window());
    load.set_covered_seconds(0.5);
    v1::LayerLoad* layer = load.add_layers();
    layer->set_layer(3);
    layer->add_tokens(4);
    layer->add_tokens(static_cast<uint64_t>(request->window()));
    layer->set_imbalance(1.5);
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

  v1::Placement placement;
};

class RouterClientTest : public testing::Test {
 protected:
  std::unique_ptr<RouterClient> Connect() {
    auto client = RouterClient::Connect(server_.Target(), absl::Seconds(10));
    EXPECT_TRUE(client.ok()) << client.status();
    return *std::move(client);
  }

  FakeMembership membership_;
  FakePlacement placement_;
  TestServer server_{&membership_, &placement_};
};

TEST_F(RouterClientTest, ReadsWhatTheRouterSaysOfItsMesh) {
  v1::ListNodesResponse& said = membership_.nodes;
  said.mutable_router()->set_version("0.1.0");
  said.set_term(2);
  said.set_active_epoch(77);
  said.set_model_digest("\x01\xff");
  said.set_numerics_class("bf16-1");
  v1::NodeState* expert = said.add_nodes();
  expert->mutable_node()->set_name("expert-0");
  expert->mutable_node()->set_role(common::v1::ROLE_EXPERT);
  expert->set_health(v1::NODE_HEALTH_READY);
  expert->set_experts_placed(5);
  expert->mutable_status()->mutable_expert()->set_rows_computed_total(9);
  v1::NodeState* attention = said.add_nodes();
  attention->mutable_node()->set_role(common::v1::ROLE_ATTENTION);
  attention->mutable_status()->set_activity("loading");
  attention->mutable_status()->mutable_attention()->set_kv_blocks_free(6);

  const auto state = Connect()->GetState(/*with_load=*/false);
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_EQ(state->router_address, server_.Target().address);
  EXPECT_EQ(state->term, 2u);
  EXPECT_EQ(state->active_epoch, 77u);
  EXPECT_EQ(state->model_digest, "01ff");
  EXPECT_TRUE(state->load.empty());
  ASSERT_EQ(state->nodes.size(), 2u);
  EXPECT_EQ(state->nodes[0].role, "attention-node");
  EXPECT_EQ(state->nodes[0].health, NodeHealth::kUnknown);
  EXPECT_EQ(state->nodes[0].activity, "loading");
  EXPECT_EQ(state->nodes[0].kv_blocks_free, 6u);
  EXPECT_EQ(state->nodes[1].name, "expert-0");
  EXPECT_EQ(state->nodes[1].role, "expert-node");
  EXPECT_EQ(state->nodes[1].health, NodeHealth::kReady);
  EXPECT_EQ(state->nodes[1].experts_placed, 5u);
  EXPECT_EQ(state->nodes[1].rows_computed, 9u);
}

TEST_F(RouterClientTest, NodesComeInTheOrderOfARequestsWay) {
  const auto add = [&](const char* name, common::v1::Role role) {
    common::v1::NodeInfo* node = membership_.nodes.add_nodes()->mutable_node();
    node->set_name(name);
    node->set_role(role);
  };
  add("expert-10", common::v1::ROLE_EXPERT);
  add("expert-2", common::v1::ROLE_EXPERT);
  add("attention-0", common::v1::ROLE_ATTENTION);
  add("expert-1", common::v1::ROLE_EXPERT);
  add("gateway-0", common::v1::ROLE_GATEWAY);
  const auto state = Connect()->GetState(false);
  ASSERT_TRUE(state.ok()) << state.status();
  std::vector<std::string> names;
  for (const NodeView& node : state->nodes) names.push_back(node.name);
  EXPECT_THAT(names, ElementsAre("gateway-0", "attention-0", "expert-1",
                                 "expert-2", "expert-10"));
}

TEST_F(RouterClientTest, LoadOfAllWindows) {
  const auto state = Connect()->GetState(/*with_load=*/true);
  ASSERT_TRUE(state.ok()) << state.status();
  ASSERT_EQ(state->load.size(), 4u);
  EXPECT_EQ(state->load[0].window, "1s");
  EXPECT_EQ(state->load[3].window, "total");
  ASSERT_EQ(state->load[1].layers.size(), 1u);
  EXPECT_EQ(state->load[1].layers[0].layer, 3u);
  EXPECT_THAT(state->load[1].layers[0].rows, ElementsAre(4, 2));
  EXPECT_EQ(state->load[1].layers[0].imbalance, 1.5);
}

TEST_F(RouterClientTest, PlacementByNode) {
  v1::Placement& placement = placement_.placement;
  placement.set_epoch(5);
  placement.set_num_experts(3);
  placement.add_nodes()->set_name("a");
  placement.add_nodes()->set_name("b");
  v1::LayerPlacement* single = placement.add_layers();
  single->set_layer(1);
  for (const uint32_t ordinal : {0, 1, 0}) single->add_ordinals(ordinal);
  v1::LayerPlacement* copies = placement.add_layers();
  copies->set_layer(2);
  for (const uint32_t ordinal : {0, 1, 1, 0}) copies->add_ordinals(ordinal);
  for (const uint32_t count : {2, 1, 1}) copies->add_replicas(count);

  const auto view = Connect()->GetPlacement();
  ASSERT_TRUE(view.ok()) << view.status();
  EXPECT_EQ(view->epoch, 5u);
  EXPECT_THAT(
      view->experts,
      ElementsAre(Pair("a", ElementsAre(ExpertName{1, 0}, ExpertName{1, 2},
                                        ExpertName{2, 0}, ExpertName{2, 2})),
                  Pair("b", ElementsAre(ExpertName{1, 1}, ExpertName{2, 0},
                                        ExpertName{2, 1}))));
}

TEST_F(RouterClientTest, APlacementThatMakesNoSenseIsReadAsFarAsItGoes) {
  v1::Placement& placement = placement_.placement;
  placement.set_num_experts(9);
  placement.add_nodes()->set_name("a");
  placement.add_layers()->add_ordinals(7);
  const auto view = Connect()->GetPlacement();
  ASSERT_TRUE(view.ok()) << view.status();
  EXPECT_TRUE(view->experts.empty());
}

TEST_F(RouterClientTest, ErrorsNameTheRouter) {
  membership_.outcome = grpc::Status(grpc::StatusCode::UNAVAILABLE, "busy");
  const absl::Status status = Connect()->GetState(false).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(status.message(),
            "the router at " + server_.Target().address + ": busy");
}

}  // namespace
}  // namespace mesh::cli
