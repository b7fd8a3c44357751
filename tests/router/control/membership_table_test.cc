// SPDX-License-Identifier: Apache-2.0
#include "router/control/membership_table.h"

#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace mesh::router {
namespace {

constexpr absl::Time kStart = absl::UnixEpoch();
constexpr uint64_t kTerm = 3;

Hello HelloOf(const std::string& name, uint64_t incarnation = 1,
              service::Role role = service::Role::kExpert) {
  Hello hello;
  hello.node.name = name;
  hello.node.role = role;
  hello.node.incarnation = incarnation;
  return hello;
}

class MembershipTableTest : public ::testing::Test {
 protected:
  absl::StatusOr<MembershipTable::Admission> Admit(const Hello& hello,
                                                   uint64_t connection) {
    return table_.Admit(hello, ConnectionId{connection}, kTerm, kStart);
  }

  MembershipTable table_{MembershipTable::Options{.max_nodes = 2}};
};

TEST_F(MembershipTableTest, IdsAreOfTheTermAndKeptByRoleAndName) {
  const NodeId id = Admit(HelloOf("a"), 1)->member->node.id;
  EXPECT_EQ(id.value, (kTerm << 16) + 1);
  Member* const member = table_.Find(id);
  ASSERT_NE(member, nullptr);
  table_.Lose(*member, kStart);
  // A new process of the old name.
  const auto again = Admit(HelloOf("a", 2), 2);
  ASSERT_OK(again);
  EXPECT_EQ(again->member->node.id, id);
  EXPECT_FALSE(again->same_incarnation);
  // The same name in another role is another node.
  const auto other = Admit(HelloOf("a", 1, service::Role::kGateway), 3);
  ASSERT_OK(other);
  EXPECT_NE(other->member->node.id, id);
}

TEST_F(MembershipTableTest, IdsOfAnEarlierRouterAreKeptUnlessTaken) {
  Hello first = HelloOf("a");
  first.node.id = NodeId{77};
  Hello second = HelloOf("b");
  second.node.id = NodeId{77};
  EXPECT_EQ(Admit(first, 1)->member->node.id, NodeId{77});
  EXPECT_NE(Admit(second, 2)->member->node.id, NodeId{77});
}

TEST_F(MembershipTableTest, TheSameProcessReplacesItsStreamAnotherDoesNot) {
  ASSERT_OK(Admit(HelloOf("a"), 1));
  const auto again = Admit(HelloOf("a"), 2);
  ASSERT_OK(again);
  EXPECT_EQ(again->replaced, ConnectionId{1});
  EXPECT_TRUE(again->same_incarnation);
  EXPECT_EQ(table_.FindConnection(ConnectionId{1}), nullptr);
  EXPECT_EQ(table_.FindConnection(ConnectionId{2}), again->member);
  EXPECT_THAT(Admit(HelloOf("a", 2), 3),
              StatusIs(absl::StatusCode::kAlreadyExists));
}

TEST_F(MembershipTableTest, OnlyLivingNodesCountAgainstTheMost) {
  ASSERT_OK(Admit(HelloOf("a"), 1));
  ASSERT_OK(Admit(HelloOf("b"), 2));
  EXPECT_THAT(Admit(HelloOf("c"), 3),
              StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_OK(Admit(HelloOf("b"), 4));
  table_.Lose(*table_.FindConnection(ConnectionId{4}), kStart);
  EXPECT_OK(Admit(HelloOf("c"), 5));
}

TEST_F(MembershipTableTest, ALeaseEndsAndTheDeadAreForgottenLater) {
  EXPECT_EQ(table_.NextExpiry(), absl::InfiniteFuture());
  Member& member = *Admit(HelloOf("a"), 1)->member;
  const absl::Time expiry = kStart + absl::Seconds(2);
  EXPECT_EQ(table_.NextExpiry(), expiry);
  EXPECT_TRUE(table_.Expired(expiry - absl::Milliseconds(1)).empty());
  EXPECT_EQ(table_.Expired(expiry), std::vector<Member*>{&member});
  member.released = true;
  table_.Lose(member, expiry);
  EXPECT_FALSE(member.Alive());
  EXPECT_TRUE(member.left_cleanly);
  EXPECT_EQ(table_.NumAlive(service::Role::kExpert), 0U);
  EXPECT_TRUE(table_.Expired(expiry + absl::Minutes(1)).empty());
  EXPECT_TRUE(table_.Forgettable(expiry + absl::Minutes(9)).empty());
  EXPECT_EQ(table_.Forgettable(expiry + absl::Minutes(10)),
            std::vector<NodeId>{member.node.id});
  table_.Remove(member.node.id);
  EXPECT_TRUE(table_.All().empty());
}

TEST_F(MembershipTableTest, WhatARestartedNodeWasToldIsForgotten) {
  Member& member = *Admit(HelloOf("a"), 1)->member;
  member.draining = true;
  member.capacity_limit = 5;
  table_.Lose(member, kStart);
  EXPECT_TRUE(Admit(HelloOf("a"), 2)->member->draining);
  table_.Lose(member, kStart);
  ASSERT_OK(Admit(HelloOf("a", 2), 3));
  EXPECT_FALSE(member.draining);
  EXPECT_EQ(member.capacity_limit, SIZE_MAX);
}

}  // namespace
}  // namespace mesh::router
