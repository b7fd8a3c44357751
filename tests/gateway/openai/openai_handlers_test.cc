// SPDX-License-Identifier: Apache-2.0
#include "gateway/openai/openai_handlers.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/gateway/openai/openai_fixture.h"

namespace mesh::gateway {
namespace {

using OpenAiHandlersTest = OpenAiTest;

TEST_F(OpenAiHandlersTest, ModelsAndTheirAliases) {
  Serve({{"org/chat", "tiny-r1", false}});
  for (const char* path : {"/v1/models", "/models"}) {
    const Json body = JsonOf(Send("GET", path, "")->AwaitResponse());
    EXPECT_EQ(body["object"], "list");
    ASSERT_EQ(body["data"].size(), 2U);
    EXPECT_EQ(body["data"][1], (Json{{"id", "tiny-r1"},
                                     {"object", "model"},
                                     {"created", 1600000000},
                                     {"owned_by", "expertmesh"},
                                     {"root", "tiny-r1"},
                                     {"max_model_len", 2048}}));
  }
  for (const char* path : {"/v1/models/org%2Fchat", "/v1/models/org/chat"}) {
    const Json body = JsonOf(Send("GET", path, "")->AwaitResponse());
    EXPECT_EQ(body["id"], "org/chat");
    EXPECT_EQ(body["root"], "tiny-r1");
  }
  const HttpResponse response =
      Send("GET", "/v1/models/gpt", "")->AwaitResponse();
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(ErrorOf(response)["code"], "model_not_found");
}

TEST_F(OpenAiHandlersTest, TextToTokensAndBack) {
  Serve();
  for (const char* prefix : {"", "/v1"}) {
    Json body = JsonOf(Post(absl::StrCat(prefix, "/tokenize"),
                            R"({"model":"tiny-r1","prompt":"Hi <think>"})")
                           ->AwaitResponse());
    std::vector<TokenId> ids = Ids("Hi <think>");
    ids.insert(ids.begin(), 0);
    EXPECT_EQ(body, (Json{{"count", ids.size()},
                          {"max_model_len", 2048},
                          {"tokens", ids}}));
    body =
        JsonOf(Post(absl::StrCat(prefix, "/detokenize"),
                    absl::StrCat(R"({"tokens":)", body["tokens"].dump(), "}"))
                   ->AwaitResponse());
    EXPECT_EQ(body, (Json{{"prompt", "<｜begin▁of▁sentence｜>Hi <think>"}}));
  }
  EXPECT_EQ(
      JsonOf(Post("/tokenize", R"({"prompt":"Hi","add_special_tokens":false})")
                 ->AwaitResponse())["tokens"],
      Json(Ids("Hi")));
}

TEST_F(OpenAiHandlersTest, ConversationsToTokens) {
  Serve();
  const auto count = [this](const std::string& fields) {
    return JsonOf(Post("/tokenize",
                       absl::StrCat(
                           R"({"messages":[{"role":"user","content":"Hi"}])",
                           fields, "}"))
                      ->AwaitResponse())["count"]
        .get<int>();
  };
  EXPECT_GT(count(""), count(R"(,"add_generation_prompt":false)"));
}

TEST_F(OpenAiHandlersTest, Probes) {
  Serve();
  EXPECT_EQ(JsonOf(Send("GET", "/version", "")->AwaitResponse()),
            (Json{{"version", "1.2.3"}}));
  for (const char* path :
       {"/health", "/healthz", "/health/live", "/readyz", "/health/ready"}) {
    EXPECT_EQ(Send("GET", path, "")->AwaitResponse().status, 200) << path;
  }
  streams_.OnNodeLost(node_.get());
  EXPECT_EQ(Send("GET", "/healthz", "")->AwaitResponse().status, 200);
  EXPECT_EQ(Send("GET", "/readyz", "")->AwaitResponse().status, 503);
}

// What only the model can refuse; the parsers' tests have the rest.
TEST_F(OpenAiHandlersTest, BadRequestsHaveStatusCodeAndParam) {
  Serve();
  const auto chat = [](absl::string_view fields) {
    return absl::StrCat(R"({"messages":[{"role":"user","content":"Hi"}],)",
                        fields, "}");
  };
  const std::string too_long(1 << 20, 'a');
  const struct {
    std::string path;
    std::string body;
    int status;
    std::string code;
    std::string param;
  } rows[] = {
      {"/v1/chat/completions", "", 400, "invalid_json", ""},
      {"/v1/chat/completions", "{}", 400, "missing_field", "model"},
      {"/v1/chat/completions", chat(R"("model":"gpt")"), 404, "model_not_found",
       "model"},
      {"/v1/chat/completions", chat(R"("model":"a\nb")"), 404,
       "model_not_found", "model"},
      {"/v1/chat/completions", chat(R"("model":"tiny-r1","n":1000000000)"), 400,
       "invalid_value", "n"},
      {"/v1/chat/completions", chat(R"("model":"tiny-r1","max_tokens":2048)"),
       400, "context_length_exceeded", "max_tokens"},
      {"/v1/chat/completions",
       chat(R"("model":"tiny-r1","logit_bias":{"2048":1})"), 400, "", ""},
      {"/v1/chat/completions",
       chat(R"("model":"tiny-r1","stop_token_ids":[2048])"), 400,
       "token_out_of_range", "stop_token_ids[0]"},
      {"/v1/chat/completions",
       absl::StrCat(R"({"model":"tiny-r1","messages":[{"role":"user",)",
                    R"("content":")", too_long, "\"}]}"),
       400, "context_length_exceeded", "messages"},
      {"/v1/completions", R"({"model":"tiny-r1","prompt":[5,2048]})", 400,
       "token_out_of_range", "prompt[1]"},
      {"/v1/completions", R"({"model":"tiny-r1","prompt":[[5],[2048]]})", 400,
       "token_out_of_range", "prompt[1][0]"},
      {"/v1/completions",
       R"({"model":"tiny-r1","prompt":[5,2048],"echo":true})", 400,
       "token_out_of_range", "prompt[1]"},
      {"/v1/completions", R"({"model":"tiny-r1","prompt":""})", 400,
       "invalid_value", "prompt"},
      {"/detokenize", R"({"tokens":[2048]})", 400, "token_out_of_range",
       "tokens[0]"},
      {"/tokenize", R"({"model":"gpt","prompt":"a"})", 404, "model_not_found",
       "model"},
  };
  for (const auto& row : rows) {
    const std::string begin = row.body.substr(0, 100);
    const HttpResponse response = Post(row.path, row.body)->AwaitResponse();
    EXPECT_EQ(response.status, row.status) << begin;
    const Json error = ErrorOf(response);
    EXPECT_EQ(error.size(), 4U);
    EXPECT_LT(error["message"].get<std::string>().size(), 300U) << begin;
    if (!row.code.empty()) {
      EXPECT_EQ(error["code"], row.code) << begin;
    }
    if (!row.param.empty()) {
      EXPECT_EQ(error["param"], row.param) << begin;
    }
  }
  EXPECT_EQ(running_.NumRunning(), 0);
}

TEST_F(OpenAiHandlersTest, ThePromptMayFillTheContextExactly) {
  Serve();
  const auto client =
      Post("/v1/completions",
           R"({"model":"tiny-r1","prompt":[5,6,7],"max_tokens":2045})");
  EXPECT_EQ(node_->AwaitSubmissions(1)[0].sampling.max_tokens, 2045);
}

}  // namespace
}  // namespace mesh::gateway
