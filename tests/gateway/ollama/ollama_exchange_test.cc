// SPDX-License-Identifier: Apache-2.0
#include "gateway/ollama/ollama_exchange.h"

#include <gmock/gmock.h>

#include "tests/gateway/ollama/ollama_fixture.h"

namespace mesh::gateway {
namespace {

using ::testing::HasSubstr;

constexpr char kChat[] =
    R"({"model": "tiny-r1", "messages": [{"role": "user", "content": "hi"}]})";
constexpr char kWhole[] =
    R"({"model": "tiny-r1:latest", "prompt": "hi", "stream": false})";
const Finished kStop = {.reason = FinishReason::kStop, .status = {}};

class OllamaExchangeTest : public OllamaTest {};

TEST_F(OllamaExchangeTest, StreamsIsTheDefault) {
  AddNode();
  const auto client = Send("POST", "/api/chat", kChat);
  const Submission stream = Submitted();
  Emit(stream, "hm");
  ASSERT_TRUE(PumpUntil(*client, [&] { return client->Lines().size() == 1; }));
  Emit(stream, "</think>There");
  Emit(stream, " it is.<｜end▁of▁sentence｜>", kStop);
  ASSERT_TRUE(PumpUntil(*client, [&] { return client->IsOver(); }));
  client->Pump();

  const HttpResponse response = client->Response();
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(FindHeader(response.headers, "content-type"),
            "application/x-ndjson");
  EXPECT_EQ(FindHeader(response.headers, "x-request-id"), stream.request_id);
  std::string text;
  std::string thinking;
  const std::vector<Json> lines = client->Lines();
  for (const Json& line : lines) {
    EXPECT_EQ(line["model"], "tiny-r1");
    EXPECT_EQ(line["message"]["role"], "assistant");
    EXPECT_EQ(line["done"], &line == &lines.back());
    text += line["message"]["content"].get<std::string>();
    thinking += line["message"].value("thinking", "");
  }
  EXPECT_EQ(thinking, "hm");
  EXPECT_EQ(text, "There it is.");
  EXPECT_EQ(lines.back()["done_reason"], "stop");
  EXPECT_EQ(lines.back()["prompt_eval_count"], stream.prompt.size());
  EXPECT_EQ(lines.back()["eval_count"], num_emitted_);
  EXPECT_GT(lines.back()["total_duration"], 0);
}

TEST_F(OllamaExchangeTest, AWholeAnswer) {
  AddNode();
  const auto client = Send("POST", "/api/generate", kWhole);
  const Submission stream = Submitted();
  Emit(stream, "hm</think>There");
  Emit(stream, " it is.", Finished{FinishReason::kLength, {}});
  ASSERT_TRUE(Await([&] { return client->IsOver(); }));
  const HttpResponse response = client->Response();
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(FindHeader(response.headers, "content-type"), "application/json");
  const auto body = ParseJson(response.body, "body");
  ASSERT_TRUE(body.ok()) << body.status();
  EXPECT_EQ((*body)["model"], "tiny-r1:latest");
  EXPECT_EQ((*body)["response"], "There it is.");
  EXPECT_EQ((*body)["thinking"], "hm");
  EXPECT_EQ((*body)["done_reason"], "length");
  EXPECT_EQ((*body)["eval_count"], num_emitted_);
}

TEST_F(OllamaExchangeTest, OptionsReachTheNode) {
  AddNode();
  const auto client = Send("POST", "/api/generate", R"({
      "model": "tiny-r1", "prompt": "Once", "raw": true, "stream": false,
      "logprobs": true, "top_logprobs": 1,
      "options": {"seed": 9, "temperature": 0, "num_predict": 30,
                  "stop": " it"}})");
  const Submission stream = Submitted();
  EXPECT_EQ(stream.sampling.seed, 9u);
  EXPECT_EQ(stream.sampling.temperature, 0);
  EXPECT_EQ(stream.sampling.max_tokens, 30);
  EXPECT_EQ(stream.sampling.num_logprobs, 1);
  EXPECT_EQ(stream.prompt, *EncodeTextPrompt("Once", TinyR1()));
  Emit(stream, "There it is.");
  ASSERT_TRUE(Await([&] { return client->IsOver(); }));
  const auto body = ParseJson(client->Response().body, "body");
  EXPECT_EQ((*body)["response"], "There");
  EXPECT_EQ((*body)["done_reason"], "stop");
  EXPECT_FALSE((*body)["logprobs"].empty());
  EXPECT_EQ((*body)["logprobs"][0]["top_logprobs"].size(), 1u);
  EXPECT_EQ(link_->NumCancelled(), 1);
}

TEST_F(OllamaExchangeTest, ARefusalHasAStatusOfItsOwn) {
  EXPECT_THAT(AtOnce("POST", "/api/chat", 503, kChat)["error"],
              "no attention "
              "node is ready yet; try again in a moment");
  AddNode(/*max_positions=*/20);
  EXPECT_THAT(AtOnce("POST", "/api/chat", 400,
                     R"({"model": "tiny-r1", "options": {"num_predict": 99},
                 "messages": [{"role": "user", "content": "hi"}]})")["error"]
                  .get<std::string>(),
              HasSubstr("up to 99 new tokens are asked for"));
}

TEST_F(OllamaExchangeTest, AnErrorInAStreamIsALine) {
  AddNode();
  const auto client = Send("POST", "/api/chat", kChat);
  const Submission stream = Submitted();
  Emit(stream, "hm");
  ASSERT_TRUE(PumpUntil(*client, [&] { return client->Lines().size() == 1; }));
  client->Pump();
  running_.ExpireDue(absl::InfiniteFuture());
  ASSERT_TRUE(Await([&] { return client->IsOver(); }));
  EXPECT_EQ(client->Response().status, 200);
  ASSERT_EQ(client->Lines().size(), 2u);
  EXPECT_EQ(client->Lines().back(),
            Json({{"error", "the request took longer than its deadline"}}));
}

TEST_F(OllamaExchangeTest, AClientThatLeavesEndsItsStream) {
  AddNode();
  const auto client = Send("POST", "/api/chat", kChat);
  const Submission stream = Submitted();
  Emit(stream, "hm");
  ASSERT_TRUE(Await([&] { return client->Lines().size() == 1; }));
  client->Leave();
  EXPECT_TRUE(Await([&] { return link_->NumCancelled() == 1; }));
  EXPECT_TRUE(Await([&] { return running_.NumRunning() == 0; }));
  EXPECT_FALSE(client->IsOver());
}

TEST_F(OllamaExchangeTest, OneThatLeavesAWholeAnswer) {
  AddNode();
  const auto client = Send("POST", "/api/generate", kWhole);
  Submitted();
  client->Leave();
  EXPECT_TRUE(Await([&] { return link_->NumCancelled() == 1; }));
  EXPECT_TRUE(Await([&] { return running_.NumRunning() == 0; }));
  EXPECT_FALSE(client->IsOver());
}

TEST_F(OllamaExchangeTest, OneThatDoesNotReadIsBrokenOff) {
  context_->max_unread_bytes = 100;
  AddNode();
  auto tasks = std::make_unique<TaskThread>();
  const auto client = std::make_shared<FakeResponder>();
  GenerateInput input;
  input.prompt = Messages{{"user", "hi", ""}};
  OllamaExchange::Start(*context_,
                        {.generation = {.api = "ollama",
                                        .tenant = AnonymousTenant(),
                                        .deadline = absl::InfiniteFuture()},
                         .stream = true,
                         .headers = {}},
                        std::move(input),
                        OllamaAnswer({.model = "m", .asked = clock_.Now()}),
                        *tasks, client);
  const Submission stream = Submitted();
  // A write is under way, and stays so.
  Emit(stream, "There it is");
  ASSERT_TRUE(Await([&] { return !client->Response().body.empty(); }));
  for (int i = 0; i < 10; ++i) Emit(stream, ", and there");
  EXPECT_TRUE(Await([&] { return link_->NumCancelled() == 1; }));  // parked
  running_.ExpireDue(clock_.Now() + absl::Seconds(40));
  EXPECT_TRUE(Await([&] { return client->IsAborted(); }));
  client->Leave();
  EXPECT_TRUE(Await([&] { return running_.NumRunning() == 0; }));
  tasks.reset();
}

TEST_F(OllamaExchangeTest, CancelledByNameItDoesNotLookComplete) {
  AddNode();
  const auto client = Send("POST", "/api/chat", kChat);
  const Submission stream = Submitted();
  Emit(stream, "</think>There");
  ASSERT_TRUE(PumpUntil(*client, [&] { return client->Lines().size() == 1; }));
  ASSERT_TRUE(running_.Cancel(stream.request_id).ok());
  ASSERT_TRUE(PumpUntil(*client, [&] { return client->IsOver(); }));
  EXPECT_EQ(client->Lines().back()["error"], "the request was cancelled");
}

}  // namespace
}  // namespace mesh::gateway
