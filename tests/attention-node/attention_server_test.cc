// SPDX-License-Identifier: Apache-2.0
// A whole attention node on the bundled model, with a router that does as the
// test says and an expert node that holds everything.
#include "attention-node/attention_server.h"

#include <gmock/gmock.h>
#include <grpcpp/channel.h>
#include <gtest/gtest.h>

#include <thread>

#include "expert-node/expert_server.h"
#include "model/model_digest.h"
#include "model/moe_layers.h"
#include "service/grpc_channel.h"
#include "tests/attention-node/fake_router.h"
#include "tests/attention-node/gateway_stream.h"
#include "tests/attention-node/submit_proto.h"
#include "tests/support/status_matchers.h"

namespace mesh::attention {
namespace {

using ::testing::HasSubstr;

constexpr uint32_t kExpertId = 3;

std::string ModelDir() {
  return std::string(MESH_SOURCE_DIR) + "/models/tiny-r1";
}

class AttentionServerTest : public ::testing::TestWithParam<const char*> {
 protected:
  AttentionServerTest() {
    service::GrpcServer::Options router;
    router.services = {&router_};
    router_server_ = *service::GrpcServer::Start(router);
    checkpoint_ = *model::Checkpoint::Open(ModelDir());
  }

  void StartExpertNode(const std::string& name) {
    expert::ExpertServer::Options options;
    options.name = name;
    options.model_dir = ModelDir();
    options.experts = "all";
    options.data_plane = {.transport = GetParam(), .network = &network_};
    auto server = expert::ExpertServer::Start(options, *logger_);
    ASSERT_OK(server);
    expert_ = *std::move(server);
    while (!expert_->Ready()) std::this_thread::yield();
  }

  // Every expert on the expert node.
  void Place(uint64_t epoch, uint32_t node_id) {
    router::v1::Placement placement;
    placement.set_epoch(epoch);
    const int num_experts = checkpoint_->Config().n_routed_experts;
    placement.set_num_experts(static_cast<uint32_t>(num_experts));
    common::v1::NodeInfo& node = *placement.add_nodes();
    node.set_name("expert-" + std::to_string(node_id));
    node.set_node_id(node_id);
    node.set_incarnation(1);
    node.set_role(common::v1::ROLE_EXPERT);
    node.set_grpc_address(expert_->Address());
    for (const LayerId layer : model::MoeLayers(checkpoint_->Config())) {
      router::v1::LayerPlacement& one = *placement.add_layers();
      one.set_layer(layer.value);
      for (int e = 0; e < num_experts; ++e) one.add_ordinals(0);
    }
    router_.SetPlacement(placement);
  }

  AttentionServer::Options Options() {
    AttentionServer::Options options;
    options.name = "attention-0";
    options.model_dir = ModelDir();
    options.router_address = router_server_->Address();
    options.max_running = 8;
    options.data_plane = {.transport = GetParam(), .network = &network_};
    return options;
  }
  void StartAttentionNode() {
    auto server = AttentionServer::Start(Options(), *logger_);
    ASSERT_OK(server);
    server_ = *std::move(server);
  }
  bool WaitForReady() {
    return router_
        .WaitFor([](const router::v1::JoinRequest& request) {
          return request.has_heartbeat() &&
                 request.heartbeat().status().ready();
        })
        .has_value();
  }

  std::unique_ptr<GatewayStream> Connect() {
    stub_ = v1::AttentionService::NewStub(
        *service::MakeChannel(server_->Address(), {}));
    auto gateway = std::make_unique<GatewayStream>(*stub_);
    gateway->Hello("gateway-0", model::ModelDigest(*checkpoint_));
    const auto hello = gateway->Next();
    EXPECT_TRUE(hello.has_value() && hello->has_hello());
    numerics_ = hello->hello().handshake().numerics_class();
    return gateway;
  }
  v1::Submit SubmitOf(uint64_t request, int max_tokens) {
    Transcript transcript;
    transcript.request = RequestId{request};
    transcript.prompt = {10, 20, 30, 40};
    transcript.numerics = numerics_;
    transcript.model = model::ModelDigest(*checkpoint_);
    transcript.sampling.temperature = 0;
    transcript.sampling.ignore_eos = true;
    transcript.sampling.max_tokens = max_tokens;
    return attention::SubmitOf(transcript, 1);
  }
  // Tokens until the stream has ended, well.
  std::vector<TokenId> ReadAll(GatewayStream& gateway) {
    std::vector<TokenId> tokens;
    while (true) {
      const auto response = gateway.NextEvent();
      if (!response.has_value() || !response->has_step()) {
        ADD_FAILURE() << "no step: "
                      << (response ? response->ShortDebugString() : "");
        return tokens;
      }
      for (const v1::StreamResult& stream : response->step().streams()) {
        for (const v1::Token& token : stream.tokens()) {
          tokens.push_back(token.token());
        }
        if (!stream.has_finished()) continue;
        EXPECT_EQ(stream.finished().reason(), v1::FINISH_REASON_LENGTH)
            << stream.finished().message();
        return tokens;
      }
    }
  }

  const std::unique_ptr<service::Logger> logger_ =
      *service::Logger::Create("error", "attention-node", "test");
  router::InProcessNetwork network_;
  FakeRouter router_;
  std::unique_ptr<service::GrpcServer> router_server_;
  std::unique_ptr<model::Checkpoint> checkpoint_;
  std::unique_ptr<expert::ExpertServer> expert_;
  std::unique_ptr<AttentionServer> server_;
  std::unique_ptr<v1::AttentionService::Stub> stub_;
  std::string numerics_;
};

INSTANTIATE_TEST_SUITE_P(Over, AttentionServerTest,
                         ::testing::Values("in-process", "ucx"));

TEST_P(AttentionServerTest, IsReadyOnceEveryExpertCanBeReached) {
  StartAttentionNode();
  EXPECT_FALSE(server_->Ready());
  {
    // Reachable, but of no use yet.
    const auto gateway = Connect();
    gateway->Submit(SubmitOf(1, 4));
    const auto refused = gateway->NextEvent();
    ASSERT_TRUE(refused.has_value() && refused->has_refused());
    EXPECT_EQ(refused->refused().code(), grpc::StatusCode::UNAVAILABLE);
  }
  StartExpertNode("expert-3");
  Place(11, kExpertId);
  ASSERT_TRUE(WaitForReady());
  EXPECT_TRUE(server_->Ready());
  const auto adopted =
      router_.WaitFor([](const router::v1::JoinRequest& request) {
        return request.has_adopted();
      });
  ASSERT_TRUE(adopted.has_value());
  EXPECT_EQ(adopted->adopted().epoch(), 11U);
}

TEST_P(AttentionServerTest, ServesAndReportsEveryTokenOfEveryExpert) {
  StartExpertNode("expert-3");
  Place(11, kExpertId);
  StartAttentionNode();
  ASSERT_TRUE(WaitForReady());
  const auto gateway = Connect();
  gateway->Submit(SubmitOf(1, 20));
  const std::vector<TokenId> tokens = ReadAll(*gateway);
  EXPECT_EQ(tokens.size(), 20U);
  gateway->Submit(SubmitOf(2, 20));
  EXPECT_EQ(ReadAll(*gateway), tokens);

  // Two streams of 4 + 19 rows, in each MoE layer, with each row's top k.
  const model::DeepseekConfig& config = checkpoint_->Config();
  const uint64_t expected = 2 * 23 * model::MoeLayers(config).size() *
                            static_cast<uint64_t>(config.num_experts_per_tok);
  std::map<std::pair<uint32_t, uint32_t>, uint64_t> totals;
  uint64_t sum = 0;
  EXPECT_TRUE(router_.WaitFor([&](const router::v1::JoinRequest& request) {
    for (const auto& load : request.load().experts()) {
      totals[{load.layer(), load.expert()}] = load.tokens_total();
    }
    sum = 0;
    for (const auto& [key, total] : totals) sum += total;
    return sum == expected;
  })) << sum
      << " of " << expected;
}

TEST_P(AttentionServerTest, StreamsWaitForAnExpertNodeThatIsReplaced) {
  StartExpertNode("expert-3");
  Place(11, kExpertId);
  StartAttentionNode();
  ASSERT_TRUE(WaitForReady());
  const auto gateway = Connect();
  gateway->Submit(SubmitOf(1, 60));
  const std::vector<TokenId> tokens = ReadAll(*gateway);

  expert_ = nullptr;
  gateway->Submit(SubmitOf(2, 60));
  StartExpertNode("expert-4");
  Place(12, kExpertId + 1);
  EXPECT_EQ(ReadAll(*gateway), tokens);
}

TEST_P(AttentionServerTest, DrainsAndSaysSo) {
  StartExpertNode("expert-3");
  Place(11, kExpertId);
  StartAttentionNode();
  ASSERT_TRUE(WaitForReady());
  const auto gateway = Connect();
  gateway->Submit(SubmitOf(1, 100));
  ASSERT_TRUE(gateway->NextEvent()->has_step());
  std::thread drain([&] { server_->Drain(absl::Minutes(1)); });
  EXPECT_EQ(ReadAll(*gateway).size() + 1, 100U);
  while (gateway->Next().has_value()) {
  }
  EXPECT_THAT(gateway->Finish(), StatusIs(absl::StatusCode::kUnavailable));
  drain.join();
  EXPECT_TRUE(router_.WaitFor([](const router::v1::JoinRequest& request) {
    return request.has_leaving();
  }));
}

TEST_P(AttentionServerTest, StopsWhileAStreamWaitsForAnExpert) {
  StartExpertNode("expert-3");
  Place(11, kExpertId);
  StartAttentionNode();
  ASSERT_TRUE(WaitForReady());
  const auto gateway = Connect();
  expert_ = nullptr;
  gateway->Submit(SubmitOf(1, 100));
  const absl::Time start = absl::Now();
  server_->Drain(absl::Milliseconds(200));
  EXPECT_LT(absl::Now() - start, absl::Seconds(5));
}

TEST_P(AttentionServerTest, SaysWhatIsWrongAtStart) {
  const auto error =
      [&](const std::function<void(AttentionServer::Options&)>& change) {
        AttentionServer::Options options = Options();
        change(options);
        return AttentionServer::Start(options, *logger_).status();
      };
  EXPECT_THAT(
      error([](auto& o) { o.model_dir = ""; }),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("--model")));
  EXPECT_THAT(
      error([](auto& o) { o.router_address = ""; }),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("--router")));
  EXPECT_THAT(error([](auto& o) { o.model_dir = "/nowhere"; }),
              StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(
      error([](auto& o) { o.kv_memory_mib = uint64_t{1} << 30; }),
      StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("--kv-memory")));
  EXPECT_THAT(error([](auto& o) { o.max_step_tokens = 4; }),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("--max-step-tokens")));
  EXPECT_THAT(
      error([&](auto& o) { o.listen.listen = router_server_->Address(); }),
      StatusIs(absl::StatusCode::kAlreadyExists));
}

}  // namespace
}  // namespace mesh::attention
