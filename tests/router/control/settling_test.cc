// SPDX-License-Identifier: Apache-2.0
#include "router/control/settling.h"

#include <gtest/gtest.h>

#include "router/placement/even_placement.h"

namespace mesh::router {
namespace {

constexpr absl::Time kStart = absl::UnixEpoch();
constexpr absl::Duration kMoment = absl::Milliseconds(1);

Hello HelloOf(const std::string& name, NodeId id = {}) {
  Hello hello;
  hello.node.name = name;
  hello.node.role = service::Role::kExpert;
  hello.node.id = id;
  return hello;
}

ReachablePlacement TableOf(uint64_t epoch, const std::vector<NodeId>& ids) {
  ReachablePlacement table;
  table.placement = *EvenPlacement(
      {.epoch = epoch, .layers = {LayerId{1}}, .num_experts = 4, .nodes = ids});
  for (const NodeId id : ids) {
    table.nodes.push_back(HelloOf("expert-" + std::to_string(id.value)).node);
    table.nodes.back().id = id;
  }
  return table;
}

class SettlingTest : public ::testing::Test {
 protected:
  // An expert node that an earlier router had given the id.
  void Join(uint32_t id, absl::Time now) {
    const Hello hello = HelloOf("expert-" + std::to_string(id), NodeId{id});
    ASSERT_TRUE(members_.Admit(hello, ConnectionId{id}, 1, now).ok());
    settling_.OnExpertJoined(false, now);
  }

  MembershipTable members_{MembershipTable::Options()};
  Settling settling_{Settling::Options{.min_expert_nodes = 2}};
};

TEST_F(SettlingTest, WaitsForEnoughNodesAndThenForQuiet) {
  EXPECT_FALSE(settling_.Try(members_, kStart));
  EXPECT_EQ(settling_.NextDeadline(kStart), absl::InfiniteFuture());
  Join(1, kStart);
  EXPECT_FALSE(settling_.Try(members_, kStart + absl::Minutes(1)));
  EXPECT_EQ(settling_.Activity(members_), "waiting for expert nodes: 1 of 2");
  const absl::Time second = kStart + absl::Minutes(2);
  Join(2, second);
  EXPECT_EQ(settling_.NextDeadline(second), second + absl::Seconds(1));
  EXPECT_FALSE(settling_.Try(members_, second + absl::Seconds(1) - kMoment));
  EXPECT_TRUE(settling_.Try(members_, second + absl::Seconds(1)));
}

TEST_F(SettlingTest, StaysDone) {
  Join(1, kStart);
  Join(2, kStart);
  ASSERT_TRUE(settling_.Try(members_, kStart + absl::Seconds(1)));
  Join(3, kStart + absl::Seconds(1));
  EXPECT_TRUE(settling_.Try(members_, kStart + absl::Seconds(1)));
  EXPECT_EQ(settling_.NextDeadline(kStart), absl::InfiniteFuture());
}

TEST_F(SettlingTest, AReportedTableNeedsItsOwnNodesAndNoOthers) {
  settling_.OnAttentionJoined(TableOf(7, {NodeId{4}}), kStart);
  EXPECT_FALSE(settling_.Try(members_, kStart + absl::Seconds(2)));
  EXPECT_EQ(settling_.Activity(members_),
            "taking over from the nodes: waiting for expert-4");
  Join(4, kStart + absl::Seconds(2));
  EXPECT_FALSE(settling_.Try(members_, kStart + absl::Seconds(3) - kMoment));
  EXPECT_TRUE(settling_.Try(members_, kStart + absl::Seconds(3)));
}

TEST_F(SettlingTest, NodesOfATableAreNotAwaitedForEver) {
  settling_.OnAttentionJoined(TableOf(7, {NodeId{4}, NodeId{5}}), kStart);
  Join(4, kStart);
  EXPECT_FALSE(settling_.Try(members_, kStart + absl::Seconds(5) - kMoment));
  EXPECT_EQ(settling_.NextDeadline(kStart + absl::Seconds(2)),
            kStart + absl::Seconds(5));
  EXPECT_TRUE(settling_.Try(members_, kStart + absl::Seconds(5)));
}

TEST_F(SettlingTest, WeightsInMemoryMeanThatATableIsToCome) {
  Join(1, kStart);
  Join(2, kStart);
  settling_.OnExpertJoined(true, kStart);
  const absl::Time quiet = kStart + absl::Seconds(1);
  EXPECT_FALSE(settling_.Try(members_, quiet));
  EXPECT_EQ(settling_.NextDeadline(quiet), kStart + absl::Seconds(5));
  // None comes: they are placed as if they were new.
  Settling other = settling_;
  EXPECT_TRUE(other.Try(members_, kStart + absl::Seconds(5)));
  settling_.OnAttentionJoined(TableOf(7, {NodeId{1}}), quiet);
  EXPECT_TRUE(settling_.Try(members_, quiet + absl::Seconds(1)));
}

TEST_F(SettlingTest, TheHighestReportedTableCounts) {
  for (const uint64_t epoch : {8, 9, 7}) {
    settling_.OnAttentionJoined(TableOf(epoch, {NodeId{4}}), kStart);
  }
  EXPECT_EQ(settling_.Reported()->placement->Epoch(), 9U);
}

}  // namespace
}  // namespace mesh::router
