// SPDX-License-Identifier: Apache-2.0
#include "gateway/router_client.h"

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <atomic>

#include "absl/strings/str_cat.h"
#include "mesh/router/v1/membership_service.grpc.pb.h"
#include "tests/gateway/gateway_fixture.h"

namespace mesh::gateway {
namespace {

namespace routing = mesh::router::v1;

// Welcomes a gateway, names one attention node, and keeps the last status.
class JoinStream final : public grpc::ServerBidiReactor<routing::JoinRequest,
                                                        routing::JoinResponse> {
 public:
  JoinStream(const std::string& attention, std::atomic<int>& ready)
      : attention_(attention), ready_(ready) {
    StartRead(&request_);
  }

 private:
  void OnReadDone(bool ok) override {
    if (!ok) {
      Finish(grpc::Status::OK);
      return;
    }
    if (request_.has_hello()) {
      EXPECT_EQ(request_.hello().node().role(), common::v1::ROLE_GATEWAY);
      EXPECT_EQ(request_.hello().node().name(), "gateway-0");
      EXPECT_FALSE(request_.hello().node().grpc_address().empty());
      response_.mutable_welcome()->set_node_id(1);
      response_.mutable_welcome()->set_protocol_version(
          request_.hello().handshake().max_protocol_version());
      response_.mutable_welcome()->set_heartbeat_interval_ms(20);
      response_.mutable_welcome()->set_lease_ms(60000);
      StartWrite(&response_);
    } else if (request_.has_heartbeat()) {
      ready_ = request_.heartbeat().status().ready() ? 1 : 0;
    }
    StartRead(&request_);
  }
  void OnWriteDone(bool ok) override {
    if (!ok || response_.has_attention_nodes()) return;
    common::v1::NodeInfo* node =
        response_.mutable_attention_nodes()->add_nodes();
    node->set_name("attention-0");
    node->set_grpc_address(attention_);
    StartWrite(&response_);
  }
  void OnDone() override { delete this; }

  const std::string attention_;
  std::atomic<int>& ready_;
  routing::JoinRequest request_;
  routing::JoinResponse response_;
};

class FakeRouter final : public routing::MembershipService::CallbackService {
 public:
  explicit FakeRouter(std::string attention)
      : attention_(std::move(attention)) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                             &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  ~FakeRouter() override {
    server_->Shutdown(std::chrono::system_clock::now());
    server_->Wait();
  }

  grpc::ServerBidiReactor<routing::JoinRequest, routing::JoinResponse>* Join(
      grpc::CallbackServerContext* /*context*/) override {
    return new JoinStream(attention_, ready);
  }
  std::string Address() const { return absl::StrCat("127.0.0.1:", port_); }

  std::atomic<int> ready = -1;

 private:
  const std::string attention_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

using RouterClientTest = GatewayTest;

TEST_F(RouterClientTest, AttentionNodesAreLearntAndOutliveTheRouter) {
  FakeAttentionNode node({});
  auto router = std::make_unique<FakeRouter>(node.Address());
  options_.router_address = router->Address();
  StartGateway();
  EXPECT_TRUE(Await([&] { return server_->NumAttentionNodes() == 1; }));
  EXPECT_TRUE(Await([&] { return router->ready == 1; }));
  router.reset();
  EXPECT_EQ(Generate(IdsRequest({5}, 9)).ids, ExpectedTokens({5}, 11, 9));
}

}  // namespace
}  // namespace mesh::gateway
