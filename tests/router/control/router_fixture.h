// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "mesh/router/v1/membership_service.grpc.pb.h"
#include "mesh/router/v1/placement_service.grpc.pb.h"
#include "router/control/router_server.h"
#include "service/grpc_channel.h"
#include "service/grpc_status.h"
#include "tests/router/control/raw_node.h"
#include "tests/router/control/sound_node.h"
#include "tests/support/status_matchers.h"

namespace mesh::router {

// A router on loopback, quick to plan and slow to give a node up.
class RouterFixture : public ::testing::Test {
 protected:
  static RouterServer::Options QuickOptions() {
    RouterServer::Options options;
    options.listen.metrics_listen = "127.0.0.1:0";
    options.name = "router";
    options.settle = absl::Milliseconds(100);
    options.heartbeat_interval = absl::Milliseconds(50);
    options.lease = absl::Seconds(20);
    return options;
  }

  void StartRouter(const RouterServer::Options& options) {
    auto router = RouterServer::Start(options, *logger_);
    ASSERT_OK(router);
    router_ = *std::move(router);
  }
  const std::string& Address() const { return router_->Address(); }

  std::unique_ptr<SoundNode> Join(common::v1::Role role,
                                  const std::string& name,
                                  const service::TlsOptions& tls = {}) {
    return std::make_unique<SoundNode>(role, name, Address(), *logger_, tls);
  }
  std::unique_ptr<SoundNode> JoinExpert(const std::string& name) {
    return Join(common::v1::ROLE_EXPERT, name);
  }
  std::unique_ptr<SoundNode> JoinAttention(const std::string& name) {
    return Join(common::v1::ROLE_ATTENTION, name);
  }

  // A call of `Service` by one method of its stub.
  template <typename Service, typename Request, typename Response>
  absl::Status Call(grpc::Status (Service::Stub::*method)(grpc::ClientContext*,
                                                          const Request&,
                                                          Response*),
                    const Request& request, Response* response,
                    const service::TlsOptions& tls = {}) {
    const auto channel = service::MakeChannel(Address(), {.tls = tls});
    EXPECT_OK(channel);
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::seconds(20));
    context.set_wait_for_ready(true);
    const auto stub = Service::NewStub(*channel);
    return service::FromGrpc((*stub.*method)(&context, request, response));
  }

  const std::unique_ptr<service::Logger> logger_ =
      *service::Logger::Create("error", "router", "router");
  std::unique_ptr<RouterServer> router_;
};

}  // namespace mesh::router
