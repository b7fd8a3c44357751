// SPDX-License-Identifier: Apache-2.0
#include "router/placement/placement_proto.h"

#include <gtest/gtest.h>

#include "router/placement/even_placement.h"
#include "tests/support/status_matchers.h"

namespace mesh::router {
namespace {

using ::testing::HasSubstr;

std::vector<common::v1::NodeInfo> Nodes(uint32_t count) {
  std::vector<common::v1::NodeInfo> nodes(count);
  for (uint32_t n = 0; n < count; ++n) {
    // Backwards: order does not matter.
    nodes[n].set_node_id(10 * (count - n));
    nodes[n].set_name("expert-" + std::to_string(n));
  }
  return nodes;
}

v1::Placement Example(int num_replicas) {
  std::vector<NodeId> ids;
  for (const auto& node : Nodes(3)) ids.push_back(NodeId{node.node_id()});
  const auto placement = EvenPlacement({.epoch = 1ULL << 32 | 5,
                                        .layers = {LayerId{2}, LayerId{1}},
                                        .num_experts = 4,
                                        .nodes = ids,
                                        .num_replicas = num_replicas});
  return ToProto(**placement, Nodes(4));
}

TEST(PlacementProto, ComesBackAsItWas) {
  for (const int replicas : {1, 2, 3}) {
    const v1::Placement proto = Example(replicas);
    EXPECT_EQ(proto.layers(0).replicas_size(), replicas == 1 ? 0 : 4);
    EXPECT_EQ(proto.nodes_size(), 3);
    const auto table = FromProto(proto);
    ASSERT_OK(table);
    EXPECT_EQ(table->placement->Epoch(), 1ULL << 32 | 5);
    EXPECT_EQ(table->nodes[0].name(), "expert-3");
    EXPECT_EQ(table->placement->Nodes()[0], NodeId{10});
    EXPECT_EQ(ToProto(*table->placement, table->nodes).SerializeAsString(),
              proto.SerializeAsString());
  }
}

TEST(PlacementProto, RefusesWhatMakesNoSense) {
  const auto error = [](auto spoil) {
    v1::Placement proto = Example(2);
    spoil(proto);
    return FromProto(proto).status();
  };
  using P = v1::Placement;
  const auto invalid = [](const std::string& text) {
    return StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(text));
  };
  EXPECT_THAT(error([](P& p) { p.clear_nodes(); }), invalid("0 nodes"));
  EXPECT_THAT(error([](P& p) { p.clear_layers(); }), invalid("0 layers"));
  EXPECT_THAT(error([](P& p) { p.set_num_experts(0); }), invalid("0 experts"));
  EXPECT_THAT(error([](P& p) { p.set_num_experts(4000000000U); }),
              invalid("experts a layer"));
  EXPECT_THAT(error([](P& p) { p.set_num_experts(5); }), invalid("ordinals"));
  EXPECT_THAT(error([](P& p) { p.mutable_layers(0)->set_layer(70000); }),
              invalid("no layer 70000"));
  EXPECT_THAT(error([](P& p) { p.mutable_layers(0)->set_layer(2); }),
              invalid("twice"));
  EXPECT_THAT(error([](P& p) { p.mutable_layers(0)->set_ordinals(0, 3); }),
              invalid("ordinal 3 of 3"));
  EXPECT_THAT(error([](P& p) { p.mutable_layers(0)->set_replicas(0, 99); }),
              invalid("99 replicas"));
  EXPECT_THAT(error([](P& p) { p.mutable_layers(0)->add_ordinals(1); }),
              invalid("ordinals"));
  EXPECT_THAT(error([](P& p) { p.mutable_nodes(0)->set_node_id(30); }),
              invalid("twice"));
  EXPECT_THAT(error([](P& p) { p.add_nodes()->set_node_id(77); }),
              invalid("hosts nothing"));
  EXPECT_THAT(error([](P& p) {
                p.mutable_layers(0)->set_replicas(0, 0);
                p.mutable_layers(0)->set_replicas(1, 4);
              }),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace mesh::router
