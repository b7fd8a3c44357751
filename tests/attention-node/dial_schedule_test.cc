// SPDX-License-Identifier: Apache-2.0
#include "attention-node/dial_schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mesh::attention {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const absl::Time kStart = absl::UnixEpoch();

ExpertPeer Peer(uint32_t node, uint64_t incarnation = 1) {
  return {.node = NodeId{node},
          .incarnation = incarnation,
          .name = "expert",
          .address = "127.0.0.1:1"};
}

std::vector<uint32_t> Due(DialSchedule& schedule, absl::Time now) {
  std::vector<uint32_t> nodes;
  for (const ExpertPeer& peer : schedule.TakeDue(now)) {
    nodes.push_back(peer.node.value);
  }
  return nodes;
}

TEST(DialSchedule, DialsEveryNodeOfTheTableOnce) {
  DialSchedule schedule;
  schedule.SetNodes(std::vector{Peer(2), Peer(1)});
  EXPECT_THAT(Due(schedule, kStart), ElementsAre(1, 2));
  EXPECT_THAT(Due(schedule, kStart + absl::Hours(1)), IsEmpty());
  EXPECT_EQ(schedule.NextDue(), absl::InfiniteFuture());
  schedule.OnConnected(NodeId{1}, kStart);
  EXPECT_TRUE(schedule.IsConnected(NodeId{1}));
  EXPECT_FALSE(schedule.IsConnected(NodeId{2}));
}

TEST(DialSchedule, BacksOffPerNodeUpToTwoSeconds) {
  DialSchedule schedule;
  schedule.SetNodes(std::vector{Peer(1), Peer(2)});
  Due(schedule, kStart);
  absl::Time now = kStart;
  std::vector<absl::Duration> delays;
  for (int i = 0; i < 8; ++i) {
    schedule.OnLost(NodeId{1}, now);
    delays.push_back(schedule.NextDue() - now);
    now = schedule.NextDue();
    EXPECT_THAT(Due(schedule, now - absl::Milliseconds(1)), IsEmpty());
    EXPECT_THAT(Due(schedule, now), ElementsAre(1));
  }
  EXPECT_THAT(delays,
              ElementsAre(absl::Milliseconds(50), absl::Milliseconds(100),
                          absl::Milliseconds(200), absl::Milliseconds(400),
                          absl::Milliseconds(800), absl::Milliseconds(1600),
                          absl::Seconds(2), absl::Seconds(2)));
  schedule.OnLost(NodeId{2}, now);
  EXPECT_EQ(schedule.NextDue() - now, absl::Milliseconds(50));
}

TEST(DialSchedule, ALinkThatLastedEndsTheBackOff) {
  DialSchedule schedule;
  schedule.SetNodes(std::vector{Peer(1)});
  absl::Time now = kStart;
  for (int i = 0; i < 4; ++i) {
    Due(schedule, now);
    schedule.OnConnected(NodeId{1}, now);
    schedule.OnLost(NodeId{1}, now);  // at once
    now = schedule.NextDue();
  }
  Due(schedule, now);
  schedule.OnConnected(NodeId{1}, now);
  now += absl::Minutes(1);
  schedule.OnLost(NodeId{1}, now);
  EXPECT_EQ(schedule.NextDue() - now, absl::Milliseconds(50));
}

TEST(DialSchedule, KeepsLinksOverATableAndGivesUpNodesThatLeft) {
  DialSchedule schedule;
  schedule.SetNodes(std::vector{Peer(1), Peer(2)});
  Due(schedule, kStart);
  schedule.OnConnected(NodeId{1}, kStart);
  schedule.OnConnected(NodeId{2}, kStart);
  schedule.SetNodes(std::vector{Peer(2), Peer(3)});
  EXPECT_FALSE(schedule.IsConnected(NodeId{1}));
  EXPECT_TRUE(schedule.IsConnected(NodeId{2}));
  EXPECT_THAT(Due(schedule, kStart), ElementsAre(3));
  schedule.OnLost(NodeId{1}, kStart);
  EXPECT_EQ(schedule.NextDue(), absl::InfiniteFuture());
}

TEST(DialSchedule, DialsARestartedNodeAnew) {
  DialSchedule schedule;
  schedule.SetNodes(std::vector{Peer(1)});
  Due(schedule, kStart);
  schedule.OnConnected(NodeId{1}, kStart);
  schedule.SetNodes(std::vector{Peer(1, 2)});
  EXPECT_FALSE(schedule.IsConnected(NodeId{1}));
  EXPECT_FALSE(schedule.IsCurrent(NodeId{1}, 1));
  EXPECT_TRUE(schedule.IsCurrent(NodeId{1}, 2));
  EXPECT_THAT(Due(schedule, kStart), ElementsAre(1));
}

TEST(DialSchedule, CountsALossOnce) {
  DialSchedule schedule;
  schedule.SetNodes(std::vector{Peer(1)});
  Due(schedule, kStart);
  schedule.OnLost(NodeId{1}, kStart);
  const absl::Time due = schedule.NextDue();
  schedule.OnLost(NodeId{1}, kStart + absl::Milliseconds(10));
  EXPECT_EQ(schedule.NextDue(), due);
}

}  // namespace
}  // namespace mesh::attention
