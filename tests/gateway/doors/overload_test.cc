// SPDX-License-Identifier: Apache-2.0
// Good requests at a bad time: deadlines that have passed, a mesh that is full,
// a gateway that leaves, and requests that are sent twice.
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/gateway/doors/doors_fixture.h"
#include "tests/gateway/http/raw_client.h"

namespace mesh::gateway {
namespace {

constexpr char kChat[] = "/v1/chat/completions";

using OverloadTest = DoorsTest;

std::string ChatWith(absl::string_view headers,
                     absl::string_view fields = R"("max_tokens":3)") {
  return PostText(kChat, Chat(fields), headers);
}

TEST_F(OverloadTest, Deadlines) {
  StartDoors();
  const std::string ten_years = "x-request-timeout-ms: 315360000000\r\n";
  CheckAll<RequestRow>({
      {"Passed", ChatWith("x-request-timeout-ms: 0\r\n"), 504,
       "deadline_exceeded"},
      {"Negative", ChatWith("x-request-timeout-ms: -5\r\n"), 504,
       "deadline_exceeded"},
      {"NoNumber", ChatWith("x-request-timeout-ms: soon\r\n"), 400,
       "invalid_value", "x-request-timeout-ms"},
      {"BeyondMeasure",
       ChatWith("x-request-timeout-ms: 99999999999999999999\r\n"), 400,
       "invalid_value", "x-request-timeout-ms"},
      {"TenYears", ChatWith(ten_years)},
  });
  node_->HoldAt(0);
  ExpectReply(SendHttp(ChatWith("x-request-timeout-ms: 1\r\n")), 504,
              "deadline_exceeded", "");
  EXPECT_EQ(
      SendGenerate("text:'x' max_tokens:3", {}, absl::Milliseconds(1)).status,
      grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(SendGenerate("text:'x' max_tokens:3", {}, -absl::Seconds(1)).status,
            grpc::StatusCode::DEADLINE_EXCEEDED);
  node_->Release();
  ExpectUnharmed();
  const GrpcReply reply =
      SendGenerate("text:'x' max_tokens:3", {}, absl::Hours(24 * 365 * 10));
  EXPECT_EQ(reply.status, grpc::StatusCode::OK) << reply.message;
}

// A stream that begins and is late ends with an event of its own.
TEST_F(OverloadTest, DeadlineInAStream) {
  StartDoors();
  node_->HoldAt(2);
  const HttpReply reply =
      SendHttp(ChatWith("x-request-timeout-ms: 300\r\n",
                        R"("stream":true,"max_tokens":9,"ignore_eos":true)"));
  EXPECT_EQ(reply.status, 200);
  EXPECT_TRUE(absl::StrContains(reply.body, "deadline_exceeded")) << reply.body;
  EXPECT_TRUE(absl::EndsWith(reply.body, "data: [DONE]\n\n")) << reply.body;
  node_->Release();
  ExpectUnharmed();
}

TEST_F(OverloadTest, IdempotencyKeys) {
  StartDoors();
  const std::string key = "Idempotency-Key: once\r\n";
  const HttpReply first = SendHttp(ChatWith(key));
  EXPECT_EQ(first.status, 200);
  EXPECT_EQ(SendHttp(ChatWith(key)).body, first.body);
  CheckAll<RequestRow>({
      {"OtherBody", ChatWith(key, R"("max_tokens":2)"), 409,
       "idempotency_mismatch", "Idempotency-Key"},
      {"OtherRoute", PostText("/v1/completions", Completion("\"x\""), key), 409,
       "idempotency_mismatch", "Idempotency-Key"},
      {"TooLong",
       ChatWith(
           absl::StrCat("Idempotency-Key: ", std::string(256, 'k'), "\r\n")),
       400, "invalid_idempotency_key", "Idempotency-Key"},
      {"WithSpace", ChatWith("Idempotency-Key: a b\r\n"), 400,
       "invalid_idempotency_key", "Idempotency-Key"},
      {"TwoKeys", ChatWith("Idempotency-Key: a\r\nIdempotency-Key: b\r\n"), 400,
       "invalid_idempotency_key", "Idempotency-Key"},
  });
}

TEST_F(OverloadTest, SameKeyJoinsTheAnswerUnderWay) {
  StartDoors();
  node_->HoldAt(1);
  const int submitted = node_->NumSubmitted();
  const std::string request = ChatWith("Idempotency-Key: both\r\n");
  RawClient first(server_->HttpAddress());
  first.Send(request);
  ASSERT_TRUE(Await([&] { return node_->NumRunning() == 1; }));
  RawClient second(server_->HttpAddress());
  second.Send(request);
  node_->Release();
  const RawAnswer answer = first.Answer();
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(second.Answer().body, answer.body);
  EXPECT_EQ(node_->NumSubmitted(), submitted + 1);
}

TEST_F(OverloadTest, TheSameRequestIdTwice) {
  StartDoors();
  node_->HoldAt(1);
  const std::string fields = R"("max_tokens":3,"request_id":"mine")";
  RawClient first(server_->HttpAddress());
  first.Send(ChatWith("", fields));
  ASSERT_TRUE(Await([&] { return node_->NumRunning() == 1; }));
  ExpectReply(SendHttp(ChatWith("", fields)), 409, "conflict", "");
  EXPECT_EQ(SendGenerate("text:'x' max_tokens:3 request_id:'mine'").status,
            grpc::StatusCode::ALREADY_EXISTS);
  node_->Release();
  EXPECT_EQ(first.Answer().status, 200);
}

// One stream runs, one waits; who comes then is turned away.
TEST_F(OverloadTest, FullMesh) {
  options_.max_requests = 1;
  StartDoors();
  // Admission learns its capacity within a tick.
  node_->HoldAt(1);
  RawClient running(server_->HttpAddress());
  running.Send(ChatWith(""));
  ASSERT_TRUE(Await([&] { return node_->NumRunning() == 1; }));
  RawClient waiting(server_->HttpAddress());
  waiting.Send(ChatWith(""));
  ASSERT_TRUE(Await([&] { return NumRunningRequests() == 2; }));
  const HttpReply http = SendHttp(ChatWith(""));
  ExpectReply(http, 429, "overloaded", "");
  EXPECT_TRUE(absl::StrContains(http.head, "Retry-After: ")) << http.head;
  const GrpcReply grpc = SendGenerate("text:'x' max_tokens:3");
  EXPECT_EQ(grpc.status, grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(grpc.code, "overloaded");
  EXPECT_TRUE(grpc.has_retry_info);
  EXPECT_TRUE(grpc.has_pushback);
  node_->Release();
  EXPECT_EQ(running.Answer().status, 200);
  EXPECT_EQ(waiting.Answer().status, 200);
}

TEST_F(OverloadTest, NoAttentionNode) {
  options_.max_wait = absl::Milliseconds(100);
  StartDoors();
  node_->Kill();
  ASSERT_TRUE(Await([&] { return server_->NumAttentionNodes() == 0; }));
  const HttpReply http = SendHttp(ChatWith(""));
  EXPECT_EQ(http.status, 503) << http.body;
  EXPECT_EQ(http.code, "unavailable");
  EXPECT_EQ(SendGenerate("text:'x' max_tokens:3").status,
            grpc::StatusCode::UNAVAILABLE);
  EXPECT_TRUE(Await([this] { return NumRunningRequests() == 0; }));
  server_.reset();
}

TEST_F(OverloadTest, DrainingGateway) {
  StartDoors();
  node_->HoldAt(1);
  RawClient running(server_->HttpAddress());
  running.Send(ChatWith(""));
  ASSERT_TRUE(Await([&] { return node_->NumRunning() == 1; }));
  std::thread drain([this] { server_->Drain(absl::Seconds(20)); });
  const std::string is_ready = "GET /readyz HTTP/1.1\r\nHost: g\r\n\r\n";
  ASSERT_TRUE(Await([&] { return SendHttp(is_ready).status == 503; }));
  const HttpReply http = SendHttp(ChatWith(""));
  ExpectReply(http, 503, "shutting_down", "");
  const GrpcReply grpc = SendGenerate("text:'x' max_tokens:3");
  EXPECT_EQ(grpc.status, grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(grpc.code, "shutting_down");
  node_->Release();
  EXPECT_EQ(running.Answer().status, 200);
  drain.join();
  server_.reset();
}

}  // namespace
}  // namespace mesh::gateway
