// SPDX-License-Identifier: Apache-2.0
#include "gateway/gateway_server.h"

#include <gtest/gtest.h>

#include <thread>

#include "tests/gateway/gateway_fixture.h"

namespace mesh::gateway {
namespace {

using GatewayServerTest = GatewayTest;

TEST_F(GatewayServerTest, WithoutAttentionNodesRequestsAreTurnedAway) {
  StartGateway();
  const Outcome outcome = Generate(IdsRequest({5}, 5));
  EXPECT_EQ(outcome.status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(outcome.status.message(),
            "no attention node is ready yet; try again in a moment");
}

TEST_F(GatewayServerTest, DrainFinishesWhatRunsAndRefusesTheRest) {
  FakeAttentionNode& node = AddNode();
  StartGateway();
  node.HoldAt(5);
  Call running(*stub_, IdsRequest({5}, 20));
  ASSERT_TRUE(running.ReadTokens(5));
  std::thread drain([this] { server_->Drain(absl::Seconds(20)); });
  ASSERT_TRUE(Await([&] {
    return Generate(IdsRequest({6}, 5)).status.code() ==
           absl::StatusCode::kUnavailable;
  }));
  node.Release();
  EXPECT_EQ(running.Finish().ids, ExpectedTokens({5}, 11, 20));
  EXPECT_TRUE(running.SoFar().status.ok());
  drain.join();
}

TEST_F(GatewayServerTest, DrainCutsOffAtItsLimit) {
  FakeAttentionNode& node = AddNode();
  StartGateway();
  node.HoldAt(5);
  Call running(*stub_, IdsRequest({5}, 20));
  ASSERT_TRUE(running.ReadTokens(5));
  server_->Drain(absl::Milliseconds(100));
  EXPECT_FALSE(running.Finish().status.ok());
  EXPECT_TRUE(node.Await([](const auto& n) { return n.NumRunning() == 0; }));
}

TEST_F(GatewayServerTest, EndsWithStreamsUnderWay) {
  FakeAttentionNode& node = AddNode();
  StartGateway();
  node.HoldAt(5);
  Call running(*stub_, IdsRequest({5}, 20));
  ASSERT_TRUE(running.ReadTokens(5));
  server_.reset();
  EXPECT_FALSE(running.Finish().status.ok());
}

TEST_F(GatewayServerTest, MissingModelIsRefused) {
  options_.model_dir = "/nowhere";
  const auto server = GatewayServer::Start(options_, *logger_);
  EXPECT_EQ(server.status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(server.status().message(),
            "/nowhere/config.json: no such file; expected a model folder");
}

TEST_F(GatewayServerTest, TooShortHeartbeatTimeoutIsRefused) {
  options_.heartbeat_timeout = absl::Milliseconds(1);
  EXPECT_EQ(GatewayServer::Start(options_, *logger_).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace mesh::gateway
