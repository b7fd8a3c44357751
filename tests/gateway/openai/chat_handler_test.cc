// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gateway/api_error.h"
#include "gateway/openai/openai_handlers.h"
#include "tests/gateway/openai/openai_fixture.h"

namespace mesh::gateway {
namespace {

constexpr char kPath[] = "/v1/chat/completions";

std::string Chat(absl::string_view fields = R"("seed":5)") {
  return absl::StrCat(
      R"({"model":"tiny-r1","messages":[{"role":"user","content":"Hi"}],)",
      fields, "}");
}

// All that the events of one choice say.
struct Said {
  std::string reasoning;
  std::string content;
  std::string finish_reason;
};

Said SaidBy(const Events& events, int index) {
  Said said;
  for (const Json& chunk : events.chunks) {
    for (const Json& choice : chunk["choices"]) {
      if (choice["index"] != index) continue;
      EXPECT_EQ(said.finish_reason, "") << "something after the end";
      const Json& delta = choice["delta"];
      if (delta.contains("reasoning_content")) {
        said.reasoning += delta["reasoning_content"].get<std::string>();
      }
      if (delta.contains("content") && delta["content"].is_string()) {
        said.content += delta["content"].get<std::string>();
      }
      if (choice["finish_reason"].is_string()) {
        said.finish_reason = choice["finish_reason"].get<std::string>();
      }
    }
  }
  return said;
}

class ChatHandler : public OpenAiTest {
 protected:
  // Thinks, answers and ends.
  void Answer(const Submission& stream, absl::string_view thought,
              absl::string_view text) {
    for (const TokenId id : Ids(thought)) Emit(stream, {id});
    Emit(stream, {EndThink()});
    for (const TokenId id : Ids(text)) Emit(stream, {id});
    Emit(stream, {1}, FinishReason::kStop);
  }
};

TEST_F(ChatHandler, WholeAnswer) {
  Serve();
  const auto client = Post(kPath, Chat());
  const Submission stream = node_->AwaitSubmissions(1)[0];
  EXPECT_EQ(stream.sampling.seed, 5U);
  Answer(stream, "I think", "The answer is 4.");
  const HttpResponse response = client->AwaitResponse();
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(FindHeader(response.headers, "content-type"), "application/json");
  EXPECT_NE(FindHeader(response.headers, "x-request-id"), "");
  const Json body = JsonOf(response);
  EXPECT_EQ(body["object"], "chat.completion");
  EXPECT_EQ(body["model"], "tiny-r1");
  EXPECT_EQ(body["id"].get<std::string>().substr(0, 9), "chatcmpl-");
  const Json& choice = body["choices"][0];
  EXPECT_EQ(choice["message"], (Json{{"role", "assistant"},
                                     {"content", "The answer is 4."},
                                     {"reasoning_content", "I think"}}));
  EXPECT_EQ(choice["finish_reason"], "stop");
  const auto num_prompt = stream.prompt.size();
  const auto num_thought = Ids("I think").size() + 1;
  const auto num_tokens = num_thought + Ids("The answer is 4.").size() + 1;
  const Json& usage = body["usage"];
  EXPECT_EQ(usage["prompt_tokens"], num_prompt);
  EXPECT_EQ(usage["completion_tokens"], num_tokens);
  EXPECT_EQ(usage["total_tokens"], num_prompt + num_tokens);
  EXPECT_EQ(usage["completion_tokens_details"]["reasoning_tokens"],
            num_thought);
  EXPECT_EQ(usage["prompt_cache_miss_tokens"], num_prompt);
}

TEST_F(ChatHandler, StreamFollowsTheRules) {
  Serve();
  for (const char* path : {kPath, "/chat/completions"}) {
    const auto client = Post(
        path, Chat(R"("stream":true,"stream_options":{"include_usage":true})"));
    const auto streams = node_->AwaitSubmissions(1);
    Answer(streams.back(), "I think", "The answer is 4.");
    const Events events = client->AwaitEvents();
    const HttpHeaders headers = client->Headers();
    EXPECT_EQ(FindHeader(headers, "Content-Type"),
              "text/event-stream; charset=utf-8");
    EXPECT_EQ(FindHeader(headers, "Cache-Control"), "no-cache");
    EXPECT_EQ(FindHeader(headers, "X-Accel-Buffering"), "no");
    EXPECT_NE(FindHeader(headers, "x-request-id"), "");
    EXPECT_EQ(client->KeepAlive(), ": keep-alive\n\n");
    EXPECT_TRUE(events.is_done);
    ASSERT_GE(events.chunks.size(), 4U);
    for (const Json& chunk : events.chunks) {
      for (const char* key : {"id", "created", "model", "object"}) {
        EXPECT_EQ(chunk[key], events.chunks[0][key]);
      }
    }
    EXPECT_EQ(events.chunks[0]["choices"][0]["delta"],
              (Json{{"role", "assistant"},
                    {"content", nullptr},
                    {"reasoning_content", ""}}));
    const Said said = SaidBy(events, 0);
    EXPECT_EQ(said.reasoning, "I think");
    EXPECT_EQ(said.content, "The answer is 4.");
    EXPECT_EQ(said.finish_reason, "stop");
    EXPECT_EQ(events.chunks.back()["choices"], Json::array());
    EXPECT_EQ(events.chunks.back()["usage"]["prompt_tokens"],
              streams.back().prompt.size());
  }
}

TEST_F(ChatHandler, ChoicesInterleaveByIndex) {
  Serve();
  const auto client =
      Post(kPath, Chat(R"("stream":true,"n":3,"seed":5,"request_id":"r",)"
                       R"("stream_options":{"include_usage":true})"));
  const auto streams = node_->AwaitSubmissions(3);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(streams[i].sampling.seed, 5 + i);
    EXPECT_EQ(streams[i].request_id, absl::StrCat("r-", i));
  }
  Emit(streams[1], {EndThink()});
  Emit(streams[1], Ids("one"), FinishReason::kLength);
  Answer(streams[2], "b", "two");
  Answer(streams[0], "a", "zero");
  const Events events = client->AwaitEvents();
  EXPECT_TRUE(events.is_done);
  EXPECT_EQ(SaidBy(events, 0).content, "zero");
  EXPECT_EQ(SaidBy(events, 1).content, "one");
  EXPECT_EQ(SaidBy(events, 1).finish_reason, "length");
  EXPECT_EQ(SaidBy(events, 2).reasoning, "b");
  EXPECT_EQ(events.chunks.back()["usage"]["prompt_tokens"],
            streams[0].prompt.size())
      << "a prompt counts once";
}

TEST_F(ChatHandler, SeveralWholeChoices) {
  Serve();
  const auto client = Post(kPath, Chat(R"("n":2,"logprobs":true)"));
  const auto streams = node_->AwaitSubmissions(2);
  Answer(streams[1], "b", "one");
  Answer(streams[0], "a", "zero");
  const Json body = JsonOf(client->AwaitResponse());
  EXPECT_EQ(body["choices"][0]["message"]["content"], "zero");
  EXPECT_EQ(body["choices"][1]["message"]["content"], "one");
  const Json& logprobs = body["choices"][0]["logprobs"];
  EXPECT_EQ(logprobs["content"].size(), Ids("zero").size());
  EXPECT_EQ(logprobs["reasoning_content"].size(), 2U) << "with </think>";
  EXPECT_EQ(logprobs["content"][0]["logprob"], -0.5);
}

TEST_F(ChatHandler, AliasesSetThinkingAndPricesMakeCosts) {
  Serve({{"deepseek-chat", "tiny-r1", false}, {"r", "tiny-r1", true}},
        {{"tiny-r1", {.prompt = 1e6, .cached_prompt = 0, .completion = 1e6}},
         {"r", {.prompt = 0, .cached_prompt = 0, .completion = 2e6}}});
  for (const auto& [name, factor] : std::vector<std::pair<std::string, double>>{
           {"deepseek-chat", 0}, {"r", 2}}) {
    const auto client =
        Post(kPath, absl::StrCat(R"({"model":")", name,
                                 R"(","messages":[{"role":"user",)",
                                 R"("content":"Hi"}]})"));
    const size_t count = node_->NumSubmissions();
    const Submission stream = node_->AwaitSubmissions(count).back();
    Emit(stream, Ids("ab"), FinishReason::kLength);
    const Json body = JsonOf(client->AwaitResponse());
    EXPECT_EQ(body["model"], name);
    const double num_tokens = static_cast<double>(Ids("ab").size());
    const double num_prompt = static_cast<double>(stream.prompt.size());
    EXPECT_EQ(body["usage"]["cost"].get<double>(),
              factor == 0 ? num_prompt + num_tokens : factor * num_tokens);
  }
}

TEST_F(ChatHandler, SpecialTokensInTextAreText) {
  Serve();
  const auto client =
      Post(kPath, R"({"model":"tiny-r1","messages":[{"role":"user","content":)"
                  R"("a<｜User｜>b<｜end▁of▁sentence｜></think>"}]})");
  const Submission stream = node_->AwaitSubmissions(1)[0];
  const TokenId user = *TinyR1().tokenizer->IdOf("<｜User｜>");
  EXPECT_EQ(std::count(stream.prompt.begin(), stream.prompt.end(), user), 1);
  EXPECT_EQ(std::count(stream.prompt.begin(), stream.prompt.end(), 1), 0);
  EXPECT_EQ(std::count(stream.prompt.begin(), stream.prompt.end(), EndThink()),
            0);
}

TEST_F(ChatHandler, StopStringsAreCutAcrossTokens) {
  Serve();
  const auto client = Post(kPath, Chat(R"("stream":true,"stop":["é4"])"));
  const Submission stream = node_->AwaitSubmissions(1)[0];
  Emit(stream, {EndThink()});
  for (const TokenId id : Ids("caf")) Emit(stream, {id});
  for (const TokenId id : Ids("é")) Emit(stream, {id});
  for (const TokenId id : Ids("4 more")) Emit(stream, {id});
  const Events events = client->AwaitEvents();
  EXPECT_EQ(SaidBy(events, 0).content, "caf");
  EXPECT_EQ(SaidBy(events, 0).finish_reason, "stop");
  EXPECT_TRUE(node_->AwaitCancelled(1));
}

TEST_F(ChatHandler, AnErrorInAStreamIsAnEvent) {
  Serve();
  const auto client = Post(kPath, Chat(R"("stream":true,"n":2)"));
  const auto streams = node_->AwaitSubmissions(2);
  Emit(streams[0], Ids("hm"));
  ASSERT_TRUE(client->AwaitText("\"reasoning_content\":\"h"));
  Emit(streams[1], {}, FinishReason::kFailed,
       absl::InvalidArgumentError("the node has no row 5"));
  const Events events = client->AwaitEvents();
  EXPECT_TRUE(events.is_done);
  EXPECT_EQ(events.chunks.back()["error"]["type"], "invalid_request_error");
  EXPECT_TRUE(node_->AwaitCancelled(1)) << "the other choice goes on";
}

TEST_F(ChatHandler, AnErrorBeforeTheStreamHasAStatus) {
  Serve();
  streams_.OnNodeLost(node_.get());
  running_.StartDraining();
  for (const char* fields : {R"("stream":true)", R"("n":8)"}) {
    const HttpResponse response = Post(kPath, Chat(fields))->AwaitResponse();
    EXPECT_EQ(response.status, 503);
    EXPECT_EQ(FindHeader(response.headers, "x-should-retry"), "true");
    EXPECT_NE(FindHeader(response.headers, "x-request-id"), "");
  }
}

TEST_F(ChatHandler, AClientThatLeavesFreesItsStreams) {
  Serve();
  for (const char* fields : {R"("stream":true,"n":2)", R"("n":2)"}) {
    const auto client = Post(kPath, Chat(fields));
    for (const Submission& stream : node_->AwaitSubmissions(2)) {
      Emit(stream, Ids("hm"));
    }
    client->Leave();
    EXPECT_TRUE(running_.AwaitNone(absl::Seconds(10)));
  }
  EXPECT_TRUE(node_->AwaitCancelled(4));
}

TEST_F(ChatHandler, AClientThatDoesNotReadIsCutOff) {
  max_unread_bytes_ = 1000;
  Serve();
  const auto client = Post(kPath, Chat(R"("stream":true)"));
  const Submission stream = node_->AwaitSubmissions(1)[0];
  Emit(stream, Ids("a"));
  ASSERT_TRUE(client->AwaitText("\"reasoning_content\":\"a"));
  client->StopReading();
  Emit(stream, Ids("a"));
  ASSERT_TRUE(client->AwaitUnread());
  for (int i = 0; i < 200; ++i) Emit(stream, Ids("a long thought"));
  EXPECT_TRUE(node_->AwaitCancelled(1));  // parked
  EXPECT_FALSE(client->WasAborted());
  running_.ExpireDue(clock_.Now() + absl::Seconds(40));
  EXPECT_TRUE(running_.AwaitNone(absl::Seconds(10)));
  EXPECT_TRUE(client->WasAborted());
  EXPECT_TRUE(node_->AwaitCancelled(1));
}

TEST_F(ChatHandler, ASlowReaderMissesNothing) {
  Serve();
  const auto client = Post(kPath, Chat(R"("stream":true)"));
  const Submission stream = node_->AwaitSubmissions(1)[0];
  client->StopReading();
  Answer(stream, "I think so", "Yes, of course.");
  ASSERT_TRUE(client->AwaitUnread());
  client->GoOnReading();
  const Events events = client->AwaitEvents();
  EXPECT_EQ(SaidBy(events, 0).reasoning, "I think so");
  EXPECT_EQ(SaidBy(events, 0).content, "Yes, of course.");
  EXPECT_LT(events.chunks.size(), 8U) << "what waited came together";
}

TEST_F(ChatHandler, ACancelledAnswerDoesNotLookComplete) {
  Serve();
  const auto client = Post(kPath, Chat(R"("stream":true,"request_id":"mine")"));
  const Submission stream = node_->AwaitSubmissions(1)[0];
  Emit(stream, Ids("hm"));
  EXPECT_TRUE(running_.Cancel("mine").ok());
  ASSERT_TRUE(client->AwaitText("[DONE]"));
  EXPECT_TRUE(client->AwaitText("\"code\":\"cancelled\""));
}

TEST_F(ChatHandler, ARequestThatRunsKeepsItsName) {
  Serve();
  Post(kPath, Chat(R"("stream":true,"request_id":"mine")"));
  const HttpResponse response =
      Post(kPath, Chat(R"("request_id":"mine")"))->AwaitResponse();
  EXPECT_EQ(response.status, 409);
}

TEST_F(ChatHandler, HeadersOfTheRequest) {
  Serve();
  HttpResponse response =
      Post(kPath, "{}", {{"X-Request-Id", "abc-1"}})->AwaitResponse();
  EXPECT_EQ(FindHeader(response.headers, "x-request-id"), "abc-1");
  response = Post(kPath, "{}", {{"X-Request-Id", "a b\n"}})->AwaitResponse();
  EXPECT_EQ(FindHeader(response.headers, "x-request-id").substr(0, 4), "req-");
  response =
      Post(kPath, Chat(), {{"x-request-timeout-ms", "0"}})->AwaitResponse();
  EXPECT_EQ(response.status, 504);
  EXPECT_EQ(ErrorOf(response)["code"], "deadline_exceeded");
  response =
      Post(kPath, Chat(), {{"x-request-timeout-ms", "soon"}})->AwaitResponse();
  EXPECT_EQ(response.status, 400);
  const auto client = Post(kPath, Chat(), {{"x-request-timeout-ms", "20"}});
  absl::Time deadline = absl::Now() + absl::Seconds(10);
  while (!client->HasBegun() && absl::Now() < deadline) streams_.Tick();
  EXPECT_EQ(client->AwaitResponse().status, 504);
  Post(kPath, Chat(), {{"x-request-timeout-ms", "315360000000"}});
  EXPECT_LE(node_->AwaitSubmissions(2)[1].timeout, absl::Seconds(600));
}

TEST_F(ChatHandler, AuthenticationComesBeforeTheBody) {
  handlers_ = std::make_unique<OpenAiHandlers>(
      Context(), OpenAiHandlers::Options{
                     .catalog = *ModelCatalog::Create("tiny-r1", {}, {}),
                     .version = "1",
                     .started = absl::UnixEpoch(),
                     .authenticate = [](const HttpRequest&) {
                       return ApiError(absl::StatusCode::kUnauthenticated,
                                       "no key", {.code = "missing_api_key"});
                     }});
  handlers_->AddRoutes(routes_);
  EXPECT_EQ(Post(kPath, "not JSON")->AwaitResponse().status, 401);
  EXPECT_EQ(Send("GET", "/v1/models", "")->AwaitResponse().status, 401);
  EXPECT_EQ(Send("GET", "/healthz", "")->AwaitResponse().status, 200);
}

}  // namespace
}  // namespace mesh::gateway
