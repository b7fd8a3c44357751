// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "core/check.h"
#include "gateway/gateway_server.h"
#include "mesh/gateway/v1/inference_service.grpc.pb.h"
#include "service/grpc_status.h"
#include "service/logger.h"
#include "tests/gateway/fake_attention_service.h"

namespace mesh::gateway {

// All that came of one request.
struct Outcome {
  absl::Status status;
  v1::Started started;
  v1::Completed completed;
  bool has_completed = false;
  std::vector<TokenId> ids;
  std::vector<v1::TokenInfo> tokens;
  std::vector<v1::PromptTokenInfo> prompt_tokens;
  std::string text;
  std::string reasoning;
};

// A request under way, read step by step on the test's thread.
class Call {
 public:
  Call(v1::InferenceService::Stub& stub, const v1::GenerateRequest& request,
       absl::Duration deadline = absl::Seconds(30)) {
    context_.set_deadline(absl::ToChronoTime(absl::Now() + deadline));
    reader_ = stub.Generate(&context_, request);
  }

  // Reads until `num_tokens` have come in all; false if the answer ends first.
  bool ReadTokens(size_t num_tokens) {
    while (outcome_.ids.size() < num_tokens) {
      if (!ReadOne()) return false;
    }
    return true;
  }
  bool ReadOne() {
    v1::GenerateResponse response;
    if (!reader_->Read(&response)) return false;
    Add(response);
    return true;
  }
  void Abandon() { context_.TryCancel(); }
  // Reads to the end.
  const Outcome& Finish() {
    while (ReadOne()) {
    }
    outcome_.status = service::FromGrpc(reader_->Finish());
    return outcome_;
  }
  const Outcome& SoFar() const { return outcome_; }

 private:
  void Add(const v1::GenerateResponse& response) {
    if (response.has_started()) {
      EXPECT_TRUE(outcome_.ids.empty());
      outcome_.started = response.started();
    } else if (response.has_completed()) {
      outcome_.completed = response.completed();
      outcome_.has_completed = true;
    }
    EXPECT_FALSE(outcome_.started.request_id().empty()) << "Started is first";
    for (const v1::TokenInfo& token : response.delta().tokens()) {
      EXPECT_EQ(token.index(), outcome_.ids.size());
      outcome_.ids.push_back(token.id());
      outcome_.tokens.push_back(token);
    }
    outcome_.prompt_tokens.insert(outcome_.prompt_tokens.end(),
                                  response.delta().prompt_tokens().begin(),
                                  response.delta().prompt_tokens().end());
    outcome_.text += response.delta().text();
    outcome_.reasoning += response.delta().reasoning_text();
  }

  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<v1::GenerateResponse>> reader_;
  Outcome outcome_;
};

// A gateway with fake attention nodes "attention-0", "attention-1", ...
class GatewayTest : public ::testing::Test {
 protected:
  GatewayTest() {
    auto logger = service::Logger::Create("error", "gateway", "gateway-0");
    MESH_CHECK(logger.ok());
    logger_ = *std::move(logger);
    options_.model_dir = std::string(MESH_SOURCE_DIR) + "/models/tiny-r1";
    // Long, since the machine may be busy.
    options_.heartbeat_timeout = absl::Seconds(2);
  }

  FakeAttentionNode& AddNode(FakeAttentionNode::Options options = {}) {
    options.name = "attention-" + std::to_string(nodes_.size());
    nodes_.push_back(std::make_unique<FakeAttentionNode>(std::move(options)));
    options_.attention_nodes.push_back(
        {"attention-" + std::to_string(nodes_.size() - 1),
         nodes_.back()->Address()});
    return *nodes_.back();
  }
  FakeAttentionNode& Node(size_t i) { return *nodes_[i]; }

  // Starts the gateway and waits until all nodes are connected.
  void StartGateway() {
    auto server = GatewayServer::Start(options_, *logger_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    stub_ = v1::InferenceService::NewStub(grpc::CreateChannel(
        server_->Address(), grpc::InsecureChannelCredentials()));
    const int num_nodes = static_cast<int>(nodes_.size());
    ASSERT_TRUE(
        Await([&] { return server_->NumAttentionNodes() == num_nodes; }));
  }

  template <typename Condition>
  static bool Await(const Condition& condition) {
    const absl::Time deadline = absl::Now() + absl::Seconds(20);
    while (!condition()) {
      if (absl::Now() > deadline) return false;
      absl::SleepFor(absl::Milliseconds(2));
    }
    return true;
  }

  static v1::GenerateRequest IdsRequest(const std::vector<TokenId>& prompt,
                                        uint32_t max_tokens,
                                        uint64_t seed = 11) {
    v1::GenerateRequest request;
    request.mutable_token_ids()->mutable_ids()->Add(prompt.begin(),
                                                    prompt.end());
    request.set_max_tokens(max_tokens);
    request.mutable_sampling()->set_seed(seed);
    return request;
  }
  Outcome Generate(const v1::GenerateRequest& request) {
    return Call(*stub_, request).Finish();
  }

  std::unique_ptr<service::Logger> logger_;
  GatewayServer::Options options_;
  std::vector<std::unique_ptr<FakeAttentionNode>> nodes_;
  std::unique_ptr<GatewayServer> server_;
  std::unique_ptr<v1::InferenceService::Stub> stub_;
};

}  // namespace mesh::gateway
