// SPDX-License-Identifier: Apache-2.0
// Keys that are none, and keys that may not do what is asked with them.
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gateway/admission/cache_salt.h"
#include "service/grpc_channel.h"
#include "tests/gateway/doors/doors_fixture.h"
#include "tests/gateway/http/raw_client.h"
#include "tests/support/mesh_certificates.h"

namespace mesh::gateway {
namespace {

constexpr char kChat[] = "/v1/chat/completions";

// 1 may do everything; 2 may use another model; 3 to 5 have limits.
constexpr char kTenants[] = R"(
  - {name: acme, keys: [KEY1], priority: high}
  - {name: elsewhere, keys: [KEY2], models: [other-model]}
  - {name: small, keys: [KEY3], max_context: 64, logprobs: false}
  - {name: lowly, keys: [KEY4], priority: low}
  - {name: meagre, keys: [KEY5], requests_per_minute: 1}
)";

class IdentityTest : public DoorsTest {
 protected:
  void StartWithKeys() {
    UseKeys(kTenants);
    StartDoors();
  }
};

std::string Bearer(absl::string_view key) {
  return absl::StrCat("Authorization: Bearer ", key, "\r\n");
}

std::string ChatAs(absl::string_view headers, absl::string_view fields = "") {
  return PostText(kChat, Chat(fields.empty() ? R"("max_tokens":3)" : fields),
                  headers);
}

// As many wrong keys as one address may send in a minute, and fewer.
TEST_F(IdentityTest, KeysThatAreNone) {
  StartWithKeys();
  const std::string key = Key(1);
  const std::string well_formed = Key(9);  // of nobody
  CheckAll<RequestRow>({
      {"NoHeader", ChatAs(""), 401, "missing_api_key", "",
       "WWW-Authenticate: Bearer"},
      {"OtherScheme", ChatAs("Authorization: Basic YTpi\r\n"), 401,
       "missing_api_key", "", "WWW-Authenticate: Bearer"},
      {"SchemeOnly", ChatAs("Authorization: Bearer\r\n"), 401,
       "missing_api_key"},
      {"KeyOnly", ChatAs(absl::StrCat("Authorization: ", key, "\r\n")), 401,
       "missing_api_key"},
      {"InTheQuery", PostText(absl::StrCat(kChat, "?api_key=", key), Chat("")),
       401, "missing_api_key"},
      {"HundredKilobytes", ChatAs(Bearer(std::string(100'000, 'k'))), 431,
       "headers_too_large", "", "Connection: close"},
      {"OfNobody", ChatAs(Bearer(well_formed)), 401, "invalid_api_key", "",
       "WWW-Authenticate: Bearer"},
      {"OneCharacterShort", ChatAs(Bearer(key.substr(0, key.size() - 1))), 401,
       "invalid_api_key"},
      {"OneCharacterMore", ChatAs(Bearer(key + "1")), 401, "invalid_api_key"},
      {"OtherSecret", ChatAs(Bearer(key.substr(0, key.size() - 1) + "2")), 401,
       "invalid_api_key"},
      {"NotAscii", ChatAs(Bearer("sk-\xc3\xa4\xff")), 401, "invalid_api_key"},
      {"Null", ChatAs(Bearer(std::string("sk\0x", 4))), 400, "bad_character",
       "", "Connection: close"},
      {"LineEnd", ChatAs(Bearer("sk\nx")), 400, "bad_line_end", "",
       "Connection: close"},
      {"SecondLine", ChatAs(Bearer(key + "\r\n x")), 400, "bad_header", "",
       "Connection: close"},
      {"TwoHeaders", ChatAs(Bearer(key) + Bearer(well_formed)), 400,
       "duplicate_header"},
      {"AdminPath", "GET /admin HTTP/1.1\r\nHost: g\r\n\r\n", 404,
       "unknown_route"},
      {"DebugPath", "GET /debug/pprof HTTP/1.1\r\nHost: g\r\n\r\n", 404,
       "unknown_route"},
      {"ModelsWithoutKey", "GET /v1/models HTTP/1.1\r\nHost: g\r\n\r\n", 401,
       "missing_api_key"},
      {"TokenizeWithoutKey", PostText("/tokenize", R"({"prompt":"x"})"), 401,
       "missing_api_key"},
      {"OllamaWithoutKey", PostText("/api/chat", R"({"model":"x"})"), 401},
      {"IdempotencyWithoutKey", ChatAs("Idempotency-Key: a\r\n"), 401,
       "missing_api_key"},
  });
}

// The text for a key of nobody is that for a key with a wrong secret.
TEST_F(IdentityTest, RefusalsLookTheSame) {
  StartWithKeys();
  const std::string known = Key(1);
  const std::string body = SendHttp(ChatAs(Bearer(Key(9)))).body;
  EXPECT_EQ(
      SendHttp(ChatAs(Bearer(known.substr(0, known.size() - 1) + "2"))).body,
      body);
  EXPECT_EQ(SendHttp(ChatAs(Bearer("x"))).body, body);
  EXPECT_FALSE(absl::StrContains(body, Key(9)));
}

TEST_F(IdentityTest, RightsOfAKey) {
  StartWithKeys();
  const std::string other = Bearer(Key(2));
  const std::string model = "GET /v1/models/tiny-r1 HTTP/1.1\r\nHost: g\r\n";
  CheckAll<RequestRow>({
      {"ModelOutOfScope", ChatAs(other), 404, "model_not_found", "model"},
      {"ModelCardOutOfScope", absl::StrCat(model, other, "\r\n"), 404,
       "model_not_found", "model"},
      {"ContextBeyondTheKeys", ChatAs(Bearer(Key(3)), R"("max_tokens":64)"),
       400, "context_length_exceeded"},
      {"LogprobsWithoutTheRight",
       ChatAs(Bearer(Key(3)), R"("max_tokens":3,"logprobs":true)"), 403,
       "insufficient_scope", "logprobs"},
      {"PriorityAboveTheClass",
       ChatAs(Bearer(Key(4)), R"("max_tokens":3,"priority":7)"), 403,
       "insufficient_scope", "priority"},
      {"FirstOfTheMinute", ChatAs(Bearer(Key(5)))},
      {"SecondOfTheMinute", ChatAs(Bearer(Key(5))), 429, "rate_limit_exceeded",
       "", "Retry-After: "},
  });
  // What does not exist looks the same.
  const std::string unknown = PostText(
      kChat, R"({"model":"tiny-r2","messages":[{"role":"user","content":""}]})",
      Bearer(Key(1)));
  EXPECT_EQ(absl::StrReplaceAll(SendHttp(unknown).body, {{"r2", "r1"}}),
            SendHttp(ChatAs(other)).body);
}

// What one tenant has asked tells another one nothing, not even by its time.
TEST_F(IdentityTest, TenantsShareNoComputedPrompts) {
  StartWithKeys();
  const auto salt_of = [this](int key, absl::string_view fields) {
    EXPECT_EQ(SendHttp(ChatAs(Bearer(Key(key)), fields)).status, 200);
    return node_->LastSubmit()->cache_salt();
  };
  constexpr char kAsked[] = R"("max_tokens":3,"cache_salt":"s")";
  EXPECT_EQ(salt_of(1, R"("max_tokens":3)"), CacheSalt("acme", ""));
  EXPECT_EQ(salt_of(4, R"("max_tokens":3)"), CacheSalt("lowly", ""));
  EXPECT_EQ(salt_of(1, kAsked), CacheSalt("acme", "s"));
  EXPECT_EQ(salt_of(4, kAsked), CacheSalt("lowly", "s"));
}

// Whatever is refused, and by whom: an operator sees how often.
TEST_F(IdentityTest, WhatIsRefusedIsCounted) {
  StartWithKeys();
  const std::string key = Bearer(Key(1));
  SendHttp(ChatAs(Bearer(Key(9))));
  SendHttp(ChatAs(key, R"("max_tokens":"x")"));
  SendHttp(ChatAs(key));
  SendHttp("GET /v1/models/m HTTP/1.1\r\nHost: g\r\n" + key + "\r\n");
  SendHttp("GET /admin HTTP/1.1\r\nHost: g\r\n\r\n");
  SendGenerate("text:'x'");
  const std::string text =
      SendHttp("GET /metrics HTTP/1.1\r\nHost: g\r\n" + key + "\r\n").body;
  for (const char* labels :
       {R"({code="401",port="http",route="/v1/chat/completions"} 1)",
        R"({code="400",port="http",route="/v1/chat/completions"} 1)",
        R"({code="200",port="http",route="/v1/chat/completions"} )",
        R"({code="404",port="http",route="/v1/models/*"} 1)",
        R"({code="404",port="http",route="unknown"} 1)",
        R"({code="UNAUTHENTICATED",port="grpc",route="Generate"} 1)"}) {
    EXPECT_TRUE(absl::StrContains(
        text, absl::StrCat("mesh_gateway_responses_total", labels)))
        << labels;
  }
}

TEST_F(IdentityTest, TooManyWrongKeys) {
  StartWithKeys();
  const std::string wrong = ChatAs(Bearer(Key(9)));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(SendHttp(wrong).status, 401);
  CheckAll<RequestRow>(
      {{"TheNext", wrong, 429, "rate_limit_exceeded", "", "Retry-After: "}});
  for (int i = 0; i < 200; ++i) EXPECT_EQ(SendHttp(wrong).status, 429);
  // Both doors count.
  CheckAll<GenerateRow>(
      {{"OverGrpc",
        "text:'x' max_tokens:3",
        grpc::StatusCode::RESOURCE_EXHAUSTED,
        "rate_limit_exceeded",
        "",
        {{"authorization", absl::StrCat("Bearer ", Key(9))}}}});
  ExpectGoodHttp();
  ExpectGoodGrpc();
}

TEST_F(IdentityTest, Grpc) {
  StartWithKeys();
  const auto bearer = [](const std::string& key) {
    return GrpcMetadata{{"authorization", "Bearer " + key}};
  };
  const std::string good = "text:'x' max_tokens:3";
  const auto kUnauthenticated = grpc::StatusCode::UNAUTHENTICATED;
  // Metadata with NUL or line ends is refused by the library that sends it.
  CheckAll<GenerateRow>({
      {"NoMetadata", good, kUnauthenticated, "missing_api_key"},
      {"OtherScheme",
       good,
       kUnauthenticated,
       "missing_api_key",
       "",
       {{"authorization", "Basic YTpi"}}},
      {"KeyOnly",
       good,
       kUnauthenticated,
       "missing_api_key",
       "",
       {{"authorization", Key(1)}}},
      {"OfNobody", good, kUnauthenticated, "invalid_api_key", "",
       bearer(Key(9))},
      {"OneCharacterMore", good, kUnauthenticated, "invalid_api_key", "",
       bearer(Key(1) + "1")},
      {"TwoDifferent",
       good,
       grpc::StatusCode::INVALID_ARGUMENT,
       "duplicate_header",
       "",
       {{"authorization", "Bearer " + Key(1)},
        {"authorization", "Bearer " + Key(2)}}},
      // The guard of the port ends the connection.
      {"HundredKilobytes", good, grpc::StatusCode::UNAVAILABLE, "", "",
       bearer(std::string(100'000, 'k'))},
      {"ModelOutOfScope", good, grpc::StatusCode::NOT_FOUND, "model_not_found",
       "model", bearer(Key(2))},
      {"ContextBeyondTheKeys", "text:'x' max_tokens:64",
       grpc::StatusCode::INVALID_ARGUMENT, "context_length_exceeded", "",
       bearer(Key(3))},
      {"LogprobsWithoutTheRight", "text:'x' max_tokens:3 logprobs:1",
       grpc::StatusCode::PERMISSION_DENIED, "insufficient_scope", "logprobs",
       bearer(Key(3))},
      {"PriorityAboveTheClass", "text:'x' max_tokens:3 priority:7",
       grpc::StatusCode::PERMISSION_DENIED, "insufficient_scope", "priority",
       bearer(Key(4))},
      {"FirstOfTheMinute", good, grpc::StatusCode::OK, "", "", bearer(Key(5))},
  });
  const GrpcReply reply = SendGenerate(good, bearer(Key(5)));
  EXPECT_EQ(reply.status, grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(reply.code, "rate_limit_exceeded");
  EXPECT_TRUE(reply.has_retry_info);
  EXPECT_TRUE(reply.has_pushback);
}

// Closed without a word that could be taken for an answer.
TEST_F(IdentityTest, TlsToPlaintextPorts) {
  StartDoors();
  const std::string hello("\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", 10);
  EXPECT_EQ(SendHttp(hello).status, 0);
  for (const std::string& address :
       {server_->HttpAddress(), server_->Address()}) {
    RawClient client(address);
    client.Send(hello);
    EXPECT_TRUE(client.IsClosed());
    client.Close();
    ExpectGoodHttp();
    ExpectGoodGrpc();
    ExpectUnharmed();
  }
}

TEST(TlsDoorsTest, PlaintextToTlsPorts) {
  const TempDir dir;
  MakeCertificates(dir.Path(), 1, 1);
  const auto logger = service::Logger::Create("error", "gateway", "gateway-0");
  ASSERT_TRUE(logger.ok());
  GatewayServer::Options options;
  options.model_dir = std::string(MESH_SOURCE_DIR) + "/models/tiny-r1";
  options.http_listen = "127.0.0.1:0";
  options.listen.tls = CertificatesOf(dir.Path(), "gateway");
  const auto server = GatewayServer::Start(options, **logger);
  ASSERT_TRUE(server.ok()) << server.status();
  const std::string texts[] = {"GET /health HTTP/1.1\r\nHost: g\r\n\r\n",
                               "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"};
  for (const std::string& text : texts) {
    for (const std::string& address :
         {(*server)->HttpAddress(), (*server)->Address()}) {
      RawClient client(address);
      client.Send(text);
      EXPECT_FALSE(absl::StrContains(client.Rest(), "HTTP/"));
    }
  }
  const auto channel = service::MakeChannel(
      (*server)->Address(), {.tls = CertificatesOf(dir.Path(), "operator")});
  ASSERT_TRUE(channel.ok()) << channel.status();
  const auto stub = v1::InferenceService::NewStub(*channel);
  grpc::ClientContext context;
  v1::TokenizeRequest request;
  request.set_text("hi");
  v1::TokenizeResponse response;
  const grpc::Status status = stub->Tokenize(&context, request, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
}

}  // namespace
}  // namespace mesh::gateway
