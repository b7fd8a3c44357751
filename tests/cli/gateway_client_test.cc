// SPDX-License-Identifier: Apache-2.0
#include "cli/gateway_client.h"

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "mesh/gateway/v1/inference_service.grpc.pb.h"
#include "tests/cli/test_server.h"

namespace mesh::cli {
namespace {

namespace v1 = gateway::v1;

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Answers every request with the same events and outcome; without `finishes`
// only a cancellation ends the call.
class FakeGateway final : public v1::InferenceService::CallbackService {
 public:
  grpc::ServerWriteReactor<v1::GenerateResponse>* Generate(
      grpc::CallbackServerContext*,
      const v1::GenerateRequest* request) override {
    request_ = *request;
    return new Reactor(*this);
  }

  grpc::ServerUnaryReactor* ListModels(
      grpc::CallbackServerContext* context, const v1::ListModelsRequest*,
      v1::ListModelsResponse* response) override {
    *response = models;
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(listed);
    return reactor;
  }

  // Of the last call, once it has ended.
  const v1::GenerateRequest& Request() const { return request_; }

  v1::ListModelsResponse models;
  grpc::Status listed;
  std::vector<v1::GenerateResponse> events;
  grpc::Status outcome;
  bool finishes = true;

 private:
  class Reactor final : public grpc::ServerWriteReactor<v1::GenerateResponse> {
   public:
    explicit Reactor(FakeGateway& fake) : fake_(fake) { Next(); }
    void OnWriteDone(bool) override { Next(); }
    void OnCancel() override {
      if (!fake_.finishes) Finish(grpc::Status::CANCELLED);
    }
    void OnDone() override { delete this; }

   private:
    void Next() {
      if (next_ < fake_.events.size()) {
        StartWrite(&fake_.events[next_++]);
      } else if (fake_.finishes) {
        Finish(fake_.outcome);
      }
    }

    FakeGateway& fake_;
    size_t next_ = 0;
  };

  v1::GenerateRequest request_;
};

v1::GenerateResponse Text(const std::string& reasoning,
                          const std::string& text) {
  v1::GenerateResponse event;
  event.mutable_delta()->set_reasoning_text(reasoning);
  event.mutable_delta()->set_text(text);
  return event;
}

v1::GenerateResponse Completed(v1::FinishReason reason) {
  v1::GenerateResponse event;
  event.mutable_completed()->set_finish_reason(reason);
  event.mutable_completed()->mutable_usage()->set_prompt_tokens(5);
  event.mutable_completed()->mutable_usage()->set_completion_tokens(7);
  return event;
}

class GatewayClientTest : public testing::Test {
 protected:
  GatewayClientTest() {
    v1::Model* model = fake_.models.add_models();
    model->set_name("tiny");
    model->set_digest("\x01\xab");
    model->set_numerics_class("bf16-1");
  }

  std::unique_ptr<GatewayClient> Connect() {
    auto client = GatewayClient::Connect(server_.Target(), absl::Seconds(10));
    EXPECT_TRUE(client.ok()) << client.status();
    return *std::move(client);
  }

  absl::StatusOr<Answer> Generate(const AnswerOptions& options = {}) {
    const std::vector<gateway::ChatMessage> messages = {
        {gateway::Role::kSystem, "Be brief.", ""},
        {gateway::Role::kUser, "one", ""},
        {gateway::Role::kAssistant, "two", "hm"},
        {gateway::Role::kUser, "three", ""}};
    return Connect()->Generate(
        messages, options,
        [&](const AnswerPiece& piece) {
          seen_ += "[" + piece.reasoning + "|" + piece.text + "]";
        },
        [&] { return interrupted_.load(); });
  }

  FakeGateway fake_;
  TestServer server_{&fake_};
  std::string seen_;
  std::atomic<bool> interrupted_{false};
};

TEST_F(GatewayClientTest, KnowsTheModel) {
  const auto client = Connect();
  EXPECT_EQ(client->Model().name, "tiny");
  EXPECT_EQ(client->Model().digest, "01ab");
  EXPECT_EQ(client->Description(),
            "tiny on the mesh at " + server_.Target().address);
}

TEST_F(GatewayClientTest, AGatewayThatIsNotReady) {
  fake_.listed = grpc::Status(grpc::StatusCode::UNAVAILABLE, "loading");
  EXPECT_THAT(GatewayClient::Connect(server_.Target(), absl::Seconds(10))
                  .status()
                  .ToString(),
              HasSubstr("is not a gateway that is ready: loading"));
  fake_.listed = grpc::Status::OK;
  fake_.models.clear_models();
  EXPECT_EQ(GatewayClient::Connect(server_.Target(), absl::Seconds(10))
                .status()
                .code(),
            absl::StatusCode::kUnavailable);
}

TEST_F(GatewayClientTest, PutsTheAnswerTogether) {
  fake_.events = {Text("I ", ""), Text("see", ""), Text("", "Three"),
                  Text("", "!"), Completed(v1::FINISH_REASON_LENGTH)};
  const auto answer = Generate();
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->reasoning, "I see");
  EXPECT_EQ(answer->text, "Three!");
  EXPECT_EQ(answer->reason, attention::FinishReason::kLength);
  EXPECT_EQ(answer->num_prompt_tokens, 5);
  EXPECT_EQ(answer->num_tokens, 7);
  EXPECT_THAT(seen_, HasSubstr("[I |][see|][|Three][|!]"));
}

TEST_F(GatewayClientTest, SaysOnlyWhatWasChosen) {
  ASSERT_TRUE(Generate().ok());
  const v1::GenerateRequest plain = fake_.Request();
  EXPECT_EQ(plain.messages().messages_size(), 4);
  EXPECT_EQ(plain.messages().messages(0).role(), "system");
  EXPECT_EQ(plain.messages().messages(2).role(), "assistant");
  EXPECT_EQ(plain.messages().messages(2).reasoning_content(), "hm");
  EXPECT_EQ(plain.sampling().ByteSizeLong(), 0u);
  EXPECT_FALSE(plain.has_thinking());

  AnswerOptions options;
  options.temperature = 0.0F;
  options.top_p = 0.5F;
  options.top_k = 3;
  options.min_p = 0.1F;
  options.seed = 9;
  options.max_tokens = 11;
  options.stops = {"a", "b"};
  options.no_thinking = true;
  ASSERT_TRUE(Generate(options).ok());
  const v1::GenerateRequest chosen = fake_.Request();
  EXPECT_TRUE(chosen.sampling().has_temperature());
  EXPECT_EQ(chosen.sampling().top_p(), 0.5F);
  EXPECT_EQ(chosen.sampling().top_k(), 3);
  EXPECT_EQ(chosen.sampling().min_p(), 0.1F);
  EXPECT_EQ(chosen.sampling().seed(), 9u);
  EXPECT_EQ(chosen.max_tokens(), 11u);
  EXPECT_THAT(chosen.stop(), ElementsAre("a", "b"));
  EXPECT_TRUE(chosen.has_thinking());
  EXPECT_FALSE(chosen.thinking());
}

TEST_F(GatewayClientTest, ErrorsKeepCodeAndMessage) {
  fake_.events = {Text("", "Thr")};
  fake_.outcome =
      grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "top_k: got -1");
  EXPECT_EQ(Generate().status(), absl::InvalidArgumentError("top_k: got -1"));
  EXPECT_EQ(seen_, "[|Thr]");
}

TEST_F(GatewayClientTest, AnInterruptionCancelsTheCall) {
  fake_.events = {Text("", "Thr")};
  fake_.finishes = false;
  interrupted_ = true;
  const auto answer = Generate();
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->reason, attention::FinishReason::kCancelled);
}

}  // namespace
}  // namespace mesh::cli
