// SPDX-License-Identifier: Apache-2.0
#include "gateway/http_routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "absl/strings/str_cat.h"
#include "gateway/api_error.h"

namespace mesh::gateway {
namespace {

using ::testing::ElementsAre;

// Keeps the answer.
class KeptAnswer final : public Responder {
 public:
  void Respond(HttpResponse response) override { kept = std::move(response); }
  void StartStream(int, HttpHeaders, std::string) override {}
  void Write(std::string, std::function<void(bool)>) override {}
  void EndStream() override {}
  void Abort() override {}
  void OnGone(std::function<void()>) override {}

  std::optional<HttpResponse> kept;
};

HttpRoutes::ErrorWriter Writer(const std::string& dialect) {
  return [dialect](const absl::Status& status) {
    const ApiErrorDetails details = DetailsOf(status);
    return HttpResponse{.status = details.http_status,
                        .headers = {},
                        .body = absl::StrCat(dialect, " ", details.code)};
  };
}

class Routes : public ::testing::Test {
 protected:
  Routes() : routes_(Writer("openai")) {
    for (const char* path : {"/version", "/v1/models", "/v1/models/*"}) {
      routes_.Add("GET", path, Named(absl::StrCat("get ", path)));
    }
    routes_.AddJson("/v1/completions", Named("complete"));
    routes_.AddUndeclaredJson("/api/undeclared", Named("undeclared"));
    routes_.Add("POST", "/api/chat", Named("chat"));
    routes_.Add("DELETE", "/api/chat", Named("unchat"));
    routes_.AddErrors("/api/", Writer("ollama"));
  }

  static HttpRoutes::Function Named(const std::string& name) {
    return [name](const HttpRequest& request,
                  const std::shared_ptr<Responder>& responder) {
      responder->Respond({.status = 200,
                          .headers = {},
                          .body = absl::StrCat(name, " ", request.method)});
    };
  }

  HttpResponse Get(const std::string& method, const std::string& path,
                   HttpHeaders headers = {}) {
    auto answer = std::make_shared<KeptAnswer>();
    routes_.Handle({.method = method,
                    .path = path,
                    .query = {},
                    .headers = std::move(headers),
                    .body = {},
                    .peer = {}},
                   answer);
    return answer->kept.value_or(HttpResponse{});
  }

  HttpRoutes routes_;
};

TEST_F(Routes, MethodAndPathChoose) {
  EXPECT_EQ(Get("GET", "/version").body, "get /version GET");
  EXPECT_EQ(Get("HEAD", "/version").body, "get /version HEAD");
  EXPECT_EQ(Get("GET", "/v1/models").body, "get /v1/models GET");
  EXPECT_EQ(Get("GET", "/v1/models/x").body, "get /v1/models/* GET");
  EXPECT_EQ(Get("GET", "/v1/models/org/x").body, "get /v1/models/* GET");
  EXPECT_EQ(Get("POST", "/api/chat").body, "chat POST");
  EXPECT_EQ(Get("DELETE", "/api/chat").body, "unchat DELETE");
}

TEST_F(Routes, UnknownPathsAre404InTheirDialect) {
  for (const char* path :
       {"/", "", "*", "/v1", "/v1/models/", "/version/", "/v1/model", "//"}) {
    const HttpResponse response = Get("GET", path);
    EXPECT_EQ(response.status, 404) << path;
    EXPECT_EQ(response.body, "openai unknown_route");
  }
  EXPECT_EQ(Get("POST", "/api/pull").body, "ollama unknown_route");
}

TEST_F(Routes, OtherMethodsAre405WithAllow) {
  HttpResponse response = Get("POST", "/version");
  EXPECT_EQ(response.status, 405);
  EXPECT_EQ(FindHeader(response.headers, "allow"), "GET, HEAD");
  response = Get("TRACE", "/api/chat");
  EXPECT_EQ(response.body, "ollama method_not_allowed");
  EXPECT_EQ(FindHeader(response.headers, "allow"), "DELETE, POST");
  EXPECT_EQ(Get("CONNECT", "/version").status, 405);
  EXPECT_EQ(Get("FOO", "/version").status, 501);
  EXPECT_EQ(Get("get", "/version").status, 501);
}

TEST_F(Routes, JsonRoutesWantJson) {
  const auto status = [this](const char* type) {
    return Get("POST", "/v1/completions", {{"content-type", type}}).status;
  };
  EXPECT_EQ(status("application/json"), 200);
  EXPECT_EQ(status("Application/JSON; charset=UTF-8"), 200);
  EXPECT_EQ(status("application/json;charset=\"utf-8\""), 200);
  EXPECT_EQ(status("application/json; charset=utf-16"), 415);
  EXPECT_EQ(status("text/plain"), 415);
  EXPECT_EQ(status("application/jsonx"), 415);
  EXPECT_EQ(Get("POST", "/v1/completions").body,
            "openai unsupported_media_type");
  EXPECT_EQ(
      Get("POST", "/v1/completions",
          {{"content-type", "application/json"}, {"content-encoding", "gzip"}})
          .status,
      415);
}

TEST_F(Routes, OthersTakeJsonThatDoesNotSaySo) {
  EXPECT_EQ(Get("POST", "/api/undeclared").status, 200);
  EXPECT_EQ(Get("POST", "/api/undeclared",
                {{"content-type", "application/x-www-form-urlencoded"}})
                .status,
            200);
  // A web page's form.
  EXPECT_EQ(Get("POST", "/api/undeclared",
                {{"content-type", "text/plain"}, {"origin", "http://x.test"}})
                .status,
            415);
}

TEST_F(Routes, KnowTheirNames) {
  EXPECT_EQ(routes_.PatternOf("/v1/models/x"), "/v1/models/*");
  EXPECT_EQ(routes_.PatternOf("/nothing"), "");
  EXPECT_EQ(HttpRoutes::Rest("/v1/models/*", "/v1/models/a%2fb%"), "a/b%");
  EXPECT_EQ(HttpRoutes::Rest("/v1/models/*", "/v1/models/%zz"), "%zz");
  EXPECT_THAT(
      routes_.List(),
      ElementsAre("DELETE /api/chat", "POST /api/chat", "POST /api/undeclared",
                  "POST /v1/completions", "GET /v1/models", "GET /v1/models/*",
                  "GET /version"));
}

}  // namespace
}  // namespace mesh::gateway
