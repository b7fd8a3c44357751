// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "service/process_stats.h"
#include "tests/gateway/gateway_fixture.h"
#include "tests/support/temp_dir.h"

namespace mesh::gateway {

// An answer over HTTP; code and param are those of its error, if it is one.
struct HttpReply {
  int status = 0;  // 0: none; the connection was closed
  std::string head;
  std::string body;
  std::string code;
  std::string param;
};

// What a client of gRPC gets to know.
struct GrpcReply {
  grpc::StatusCode status = grpc::StatusCode::OK;
  std::string message;
  std::string code;   // of the ErrorInfo, in small letters
  std::string param;  // of the BadRequest
  bool has_retry_info = false;
  bool has_pushback = false;
};

using GrpcMetadata = std::vector<std::pair<std::string, std::string>>;

// A request with a JSON body and what must come of it.
struct BodyRow {
  const char* name;
  const char* path;
  std::string body;
  int status = 200;
  const char* code = "";
  const char* param = "";
};

// Any bytes, and what must come of them.
struct RequestRow {
  const char* name;
  std::string bytes;
  int status = 200;
  const char* code = "";
  const char* param = "";
  const char* header = "";  // part of the answer's head
};

// A Generate call, as text of its message, and what must come of it.
struct GenerateRow {
  const char* name;
  std::string request;
  grpc::StatusCode status = grpc::StatusCode::OK;
  const char* code = nullptr;  // null: any, as for the field
  const char* param = "";
  GrpcMetadata metadata = {};
};

// A whole request with a JSON body; `headers` end in CR LF each. Without a
// Content-Type if they have one.
std::string PostText(absl::string_view path, absl::string_view body,
                     absl::string_view headers = "");
// A chat of one short message with these further fields.
std::string Chat(absl::string_view fields);
// The same with another list of messages.
std::string ChatOf(absl::string_view messages, absl::string_view fields = "");
std::string Completion(absl::string_view prompt, absl::string_view fields = "");
// `text` as often.
std::string Repeated(int count, absl::string_view text);

// A gateway with both its doors open and one fake attention node behind it.
// After each bad input comes a good one, over a connection of its own, and then
// nothing of either may be left: descriptors, requests, streams.
class DoorsTest : public GatewayTest {
 protected:
  DoorsTest();
  // Sends a last good request and compares the process' memory.
  void TearDown() override;

  // Tenants as in a file of keys; `KEY1` to `KEY9` stand for the keys that
  // Key() gives.
  void UseKeys(const std::string& tenants);
  static std::string Key(int number);
  void StartDoors();

  HttpReply SendHttp(absl::string_view bytes) const;
  // Over a channel of its own.
  GrpcReply SendGenerate(const std::string& request,
                         const GrpcMetadata& metadata = {},
                         absl::Duration deadline = absl::Seconds(30)) const;
  std::unique_ptr<v1::InferenceService::Stub> FreshStub() const;

  std::string GoodKeyLine() const;
  std::string GoodPost() const;
  void ExpectGoodHttp() const;
  void ExpectGoodGrpc() const;
  // Nothing is left of what was before.
  void ExpectUnharmed() const;
  int NumRunningRequests() const;

  void Check(const BodyRow& row) const;
  void Check(const RequestRow& row) const;
  void Check(const GenerateRow& row) const;
  template <typename Row>
  void CheckAll(const std::vector<Row>& rows) const {
    for (const Row& row : rows) Check(row);
  }
  static void ExpectReply(const HttpReply& reply, int status,
                          absl::string_view code, absl::string_view param);

  FakeAttentionNode* node_ = nullptr;
  // With it the good requests come.
  std::string good_key_;

 private:
  TempDir dir_;
  service::ProcessStats before_;
};

GrpcReply ReplyOf(const grpc::Status& status,
                  const grpc::ClientContext& context);

}  // namespace mesh::gateway
