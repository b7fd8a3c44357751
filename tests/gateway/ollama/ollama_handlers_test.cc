// SPDX-License-Identifier: Apache-2.0
#include "gateway/ollama/ollama_handlers.h"

#include <gmock/gmock.h>

#include "absl/strings/str_cat.h"
#include "core/file.h"
#include "tests/gateway/ollama/ollama_fixture.h"

namespace mesh::gateway {
namespace {

using ::testing::HasSubstr;

class OllamaHandlersTest : public OllamaTest {};

TEST_F(OllamaHandlersTest, SaysThatItRuns) {
  for (const char* method : {"GET", "HEAD"}) {
    const auto client = Send(method, "/");
    EXPECT_EQ(client->Response().status, 200);
    EXPECT_EQ(client->Response().body, "Ollama is running");
  }
  EXPECT_EQ(AtOnce("GET", "/api/version"), Json({{"version", "1.2.3"}}));
}

TEST_F(OllamaHandlersTest, ListsTheNamesOfTheModel) {
  const Json before = AtOnce("GET", "/api/tags")["models"];
  ASSERT_EQ(before.size(), 2u);
  EXPECT_EQ(before[0]["name"], "fast:latest");
  EXPECT_EQ(before[1]["name"], "tiny-r1:latest");
  EXPECT_EQ(before[1]["model"], "tiny-r1:latest");
  EXPECT_EQ(before[1]["digest"], "");
  EXPECT_EQ(before[1]["size"], 5);
  EXPECT_EQ(before[1]["modified_at"], "1970-01-01T00:00:00Z");
  EXPECT_EQ(before[1]["details"]["family"], "deepseek_v3");
  AddNode();
  const Json after = AtOnce("GET", "/api/tags")["models"];
  EXPECT_EQ(after[0]["digest"].get<std::string>().size(), 32u);
}

TEST_F(OllamaHandlersTest, RunsOnceThereIsANode) {
  EXPECT_TRUE(AtOnce("GET", "/api/ps")["models"].empty());
  AddNode(/*max_positions=*/100);
  const Json models = AtOnce("GET", "/api/ps")["models"];
  ASSERT_EQ(models.size(), 1u);
  EXPECT_EQ(models[0]["name"], "tiny-r1:latest");
  EXPECT_EQ(models[0]["context_length"], 100);
}

TEST_F(OllamaHandlersTest, ShowsTheModelUnderEachName) {
  for (const char* name : {"tiny-r1", "tiny-r1:latest", "fast"}) {
    const Json shown = AtOnce("POST", "/api/show", 200,
                              absl::StrCat(R"({"model": ")", name, R"("})"));
    EXPECT_EQ(shown["details"]["format"], "safetensors");
  }
  EXPECT_THAT(AtOnce("POST", "/api/show", 404, R"({"model": "x"})")["error"]
                  .get<std::string>(),
              HasSubstr("'x'"));
}

TEST_F(OllamaHandlersTest, LoadingIsDoneAlready) {
  const Json chat =
      AtOnce("POST", "/api/chat", 200, R"({"model": "tiny-r1:latest"})");
  EXPECT_EQ(chat["done_reason"], "load");
  EXPECT_EQ(chat["message"]["content"], "");
  const Json generate =
      AtOnce("POST", "/api/generate", 200,
             R"({"model": "fast", "prompt": "", "keep_alive": 0})");
  EXPECT_EQ(generate["done_reason"], "unload");
  EXPECT_EQ(generate["response"], "");
  EXPECT_EQ(generate["model"], "fast");
  AtOnce("POST", "/api/generate", 404, R"({"model": "none"})");
}

TEST_F(OllamaHandlersTest, RefusesWhatItIsNotFor) {
  for (const char* path : {"/api/pull", "/api/push", "/api/create", "/api/copy",
                           "/api/embed", "/api/embeddings"}) {
    EXPECT_THAT(AtOnce("POST", path, 501, "{}")["error"].get<std::string>(),
                HasSubstr("this gateway"));
  }
  AtOnce("DELETE", "/api/delete", 501, R"({"model": "tiny-r1"})");
}

TEST_F(OllamaHandlersTest, ErrorsAreInItsWords) {
  for (const auto& [method, path, status] :
       {std::tuple{"GET", "/api/none", 404},
        std::tuple{"GET", "/api/chat", 405},
        std::tuple{"POST", "/api/chat", 400}}) {
    EXPECT_TRUE(AtOnce(method, path, status)["error"].is_string()) << path;
  }
}

TEST_F(OllamaHandlersTest, AsksWhoItIs) {
  is_known_ = false;
  for (const char* path : {"/api/tags", "/api/ps"}) {
    EXPECT_EQ(AtOnce("GET", path, 401)["error"], "no key");
  }
  for (const char* path : {"/api/show", "/api/chat", "/api/generate"}) {
    EXPECT_EQ(AtOnce("POST", path, 401, "{}")["error"], "no key");
  }
  EXPECT_EQ(Send("GET", "/")->Response().status, 200);
  AtOnce("GET", "/api/version");
}

TEST_F(OllamaHandlersTest, KeepsARequestsName) {
  auto client = std::make_shared<FakeResponder>();
  HttpRequest request;
  request.method = "GET";
  request.path = "/api/tags";
  request.headers = {{"X-Request-Id", "mine-1"}};
  routes_.Handle(request, client);
  EXPECT_EQ(FindHeader(client->Response().headers, "x-request-id"), "mine-1");
  client = std::make_shared<FakeResponder>();
  request.headers = {{"X-Request-Id", "no\nname"}};
  routes_.Handle(request, client);
  EXPECT_THAT(
      std::string(FindHeader(client->Response().headers, "x-request-id")),
      ::testing::StartsWith("req-"));
}

TEST_F(OllamaHandlersTest, AnAliasSaysWhetherToThink) {
  AddNode();
  const auto client = Send(
      "POST", "/api/chat",
      R"({"model": "fast", "messages": [{"role": "user", "content": "hi"}]})");
  Emit(Submitted(), "</think>Hello",
       Finished{FinishReason::kStop, absl::OkStatus()});
  ASSERT_TRUE(PumpUntil(*client, [&] { return client->IsOver(); }));
  EXPECT_EQ(client->Lines().back()["model"], "fast");
}

TEST_F(OllamaHandlersTest, TheDocumentationListsEveryRoute) {
  const auto page =
      ReadFile(absl::StrCat(MESH_SOURCE_DIR, "/docs/ollama.md"), 1 << 20);
  ASSERT_TRUE(page.ok()) << page.status();
  for (const std::string& route : routes_.List()) {
    EXPECT_NE(page->find(absl::StrCat("`", route, "`")), page->npos) << route;
  }
}

}  // namespace
}  // namespace mesh::gateway
