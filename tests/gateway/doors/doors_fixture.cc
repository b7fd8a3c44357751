// SPDX-License-Identifier: Apache-2.0
#include "tests/gateway/doors/doors_fixture.h"

#include <google/protobuf/text_format.h>
#include <grpcpp/support/channel_arguments.h>
#include <sys/stat.h>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "core/json.h"
#include "gateway/admission/api_key.h"
#include "mesh/gateway/v1/error_details.pb.h"
#include "tests/gateway/http/raw_client.h"
#include "tests/support/sanitized.h"

namespace mesh::gateway {
namespace {

constexpr char kPepper[] = "a pepper of some length";
constexpr char kGoodFields[] = R"("max_tokens":3)";
constexpr absl::Duration kConnectLimit = absl::Seconds(5);
// Room for what allocators keep of the largest bodies.
constexpr uint64_t kMaxGrowth = 96 << 20;

ApiKey ApiKeyOf(int number) {
  const char digit = static_cast<char>('0' + number);
  return {std::string(12, digit), std::string(43, digit)};
}

std::string TextField(const Json& error, const char* name) {
  const auto found = error.find(name);
  return found != error.end() && found->is_string() ? found->get<std::string>()
                                                    : std::string();
}

}  // namespace

std::string PostText(absl::string_view path, absl::string_view body,
                     absl::string_view headers) {
  const absl::string_view type = absl::StrContains(headers, "Content-Type:")
                                     ? ""
                                     : "Content-Type: application/json\r\n";
  return absl::StrCat("POST ", path, " HTTP/1.1\r\nHost: gateway\r\n", type,
                      headers, "Content-Length: ", body.size(), "\r\n\r\n",
                      body);
}

std::string Chat(absl::string_view fields) {
  return ChatOf(R"([{"role":"user","content":"hi"}])", fields);
}

std::string ChatOf(absl::string_view messages, absl::string_view fields) {
  return absl::StrCat(R"({"model":"tiny-r1","messages":)", messages,
                      fields.empty() ? "" : ",", fields, "}");
}

std::string Completion(absl::string_view prompt, absl::string_view fields) {
  return absl::StrCat(R"({"model":"tiny-r1","prompt":)", prompt,
                      fields.empty() ? "" : ",", fields, "}");
}

std::string Repeated(int count, absl::string_view text) {
  std::string all;
  all.reserve(text.size() * static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) all.append(text.data(), text.size());
  return all;
}

DoorsTest::DoorsTest() {
  options_.http_listen = "127.0.0.1:0";
  // Tests come from one address, and often.
  options_.max_new_connections_per_address = 1'000'000;
  options_.max_connections_per_address = 10'000;
  // Long answers are not what is tested.
  node_ = &AddNode({.step = absl::Microseconds(200)});
}

void DoorsTest::UseKeys(const std::string& tenants) {
  std::string text = absl::StrCat("tenants:\n", tenants);
  for (int i = 1; i <= 9; ++i) {
    const ApiKey key = ApiKeyOf(i);
    const std::string line =
        absl::StrCat("{id: ", key.id,
                     ", hash: ", ToHex(HashSecret(kPepper, key.secret)), "}");
    absl::StrReplaceAll({{absl::StrCat("KEY", i), line}}, &text);
  }
  dir_.Write("keys.yaml", text);
  dir_.Write("pepper", kPepper);
  ASSERT_EQ(chmod(dir_.Path("pepper").c_str(), 0600), 0);
  options_.api_keys = dir_.Path("keys.yaml");
  options_.api_pepper = dir_.Path("pepper");
  good_key_ = Key(1);
}

std::string DoorsTest::Key(int number) { return ApiKeyOf(number).Text(); }

void DoorsTest::StartDoors() {
  StartGateway();
  // Libraries open what they keep with the first call.
  ExpectGoodHttp();
  ExpectGoodGrpc();
  int num_same = 0;
  int num_fds = 0;
  // Closed by several threads: the number stands still once they are done.
  ASSERT_TRUE(Await([&] {
    const int now = service::ReadProcessStats().num_fds;
    num_same = now == num_fds ? num_same + 1 : 0;
    num_fds = now;
    return num_same == 20;
  }));
  before_ = service::ReadProcessStats();
}

void DoorsTest::TearDown() {
  if (server_ == nullptr) return;
  ExpectGoodHttp();
  ExpectGoodGrpc();
  // The number of running requests is one of a moment ago: see it change.
  node_->HoldAt(1);
  RawClient client(server_->HttpAddress());
  client.Send(GoodPost());
  EXPECT_TRUE(Await([this] { return NumRunningRequests() == 1; }));
  node_->Release();
  EXPECT_EQ(client.Answer().status, 200);
  client.Close();
  ExpectUnharmed();
  if (kSanitized) return;
  EXPECT_LE(service::ReadProcessStats().rss_bytes,
            before_.rss_bytes + kMaxGrowth);
}

HttpReply DoorsTest::SendHttp(absl::string_view bytes) const {
  RawClient client(server_->HttpAddress());
  client.Send(bytes);
  const RawAnswer answer = client.Answer();
  HttpReply reply{.status = answer.status,
                  .head = answer.head,
                  .body = answer.body,
                  .code = "",
                  .param = ""};
  const Json json = Json::parse(answer.body, nullptr, false);
  if (!json.is_object() || !json.contains("error")) return reply;
  if (json["error"].is_string()) return reply;  // Ollama's
  EXPECT_FALSE(TextField(json["error"], "message").empty());
  reply.code = TextField(json["error"], "code");
  reply.param = TextField(json["error"], "param");
  return reply;
}

std::unique_ptr<v1::InferenceService::Stub> DoorsTest::FreshStub() const {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  const auto channel = grpc::CreateCustomChannel(
      server_->Address(), grpc::InsecureChannelCredentials(), arguments);
  // One that is given up while it connects may keep its connection for long.
  channel->WaitForConnected(absl::ToChronoTime(absl::Now() + kConnectLimit));
  return v1::InferenceService::NewStub(channel);
}

GrpcReply ReplyOf(const grpc::Status& status,
                  const grpc::ClientContext& context) {
  GrpcReply reply;
  reply.status = status.error_code();
  reply.message = status.error_message();
  reply.has_pushback =
      context.GetServerTrailingMetadata().count("grpc-retry-pushback-ms") > 0;
  v1::ErrorStatus details;
  EXPECT_TRUE(details.ParseFromString(status.error_details()));
  for (const google::protobuf::Any& any : details.details()) {
    if (absl::EndsWith(any.type_url(), "ErrorInfo")) {
      v1::ErrorInfo info;
      EXPECT_TRUE(info.ParseFromString(any.value()));
      reply.code = absl::AsciiStrToLower(info.reason());
    } else if (absl::EndsWith(any.type_url(), "BadRequest")) {
      v1::BadRequest bad;
      EXPECT_TRUE(bad.ParseFromString(any.value()));
      reply.param = bad.field_violations(0).field();
    } else if (absl::EndsWith(any.type_url(), "RetryInfo")) {
      reply.has_retry_info = true;
    }
  }
  return reply;
}

GrpcReply DoorsTest::SendGenerate(const std::string& request,
                                  const GrpcMetadata& metadata,
                                  absl::Duration deadline) const {
  v1::GenerateRequest message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(request, &message));
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + deadline));
  for (const auto& [name, value] : metadata) {
    context.AddMetadata(name, value);
  }
  const auto stub = FreshStub();
  const auto reader = stub->Generate(&context, message);
  v1::GenerateResponse response;
  while (reader->Read(&response)) {
  }
  return ReplyOf(reader->Finish(), context);
}

std::string DoorsTest::GoodKeyLine() const {
  return good_key_.empty()
             ? ""
             : absl::StrCat("Authorization: Bearer ", good_key_, "\r\n");
}

std::string DoorsTest::GoodPost() const {
  return PostText("/v1/chat/completions", Chat(kGoodFields), GoodKeyLine());
}

void DoorsTest::ExpectGoodHttp() const {
  const HttpReply reply = SendHttp(GoodPost());
  EXPECT_EQ(reply.status, 200) << reply.body;
}

void DoorsTest::ExpectGoodGrpc() const {
  GrpcMetadata metadata;
  if (!good_key_.empty()) {
    metadata.emplace_back("authorization", absl::StrCat("Bearer ", good_key_));
  }
  const GrpcReply reply = SendGenerate("text:'hi' max_tokens:3", metadata);
  EXPECT_EQ(reply.status, grpc::StatusCode::OK) << reply.message;
}

int DoorsTest::NumRunningRequests() const {
  const std::string text =
      SendHttp(absl::StrCat("GET /metrics HTTP/1.1\r\nHost: gateway\r\n",
                            GoodKeyLine(), "\r\n"))
          .body;
  const std::string name = "\nmesh_requests_running";
  const size_t at = text.find(name);
  int number = -1;
  if (at != std::string::npos) {
    const size_t space = text.find(' ', at);
    EXPECT_TRUE(absl::SimpleAtoi(
        text.substr(space + 1, text.find('\n', space) - space - 1), &number));
  }
  return number;
}

void DoorsTest::ExpectUnharmed() const {
  EXPECT_TRUE(Await([this] { return node_->NumRunning() == 0; }))
      << node_->NumRunning() << " streams are left";
  EXPECT_TRUE(Await([this] { return NumRunningRequests() == 0; }))
      << NumRunningRequests() << " requests are left";
  EXPECT_TRUE(Await([this] {
    return service::ReadProcessStats().num_fds <= before_.num_fds;
  })) << service::ReadProcessStats().num_fds
      << " descriptors, not " << before_.num_fds;
}

void DoorsTest::ExpectReply(const HttpReply& reply, int status,
                            absl::string_view code, absl::string_view param) {
  EXPECT_EQ(reply.status, status) << reply.body.substr(0, 500);
  EXPECT_EQ(reply.code, code) << reply.body.substr(0, 500);
  EXPECT_EQ(reply.param, param) << reply.body.substr(0, 500);
}

void DoorsTest::Check(const BodyRow& row) const {
  SCOPED_TRACE(row.name);
  ExpectReply(SendHttp(PostText(row.path, row.body)), row.status, row.code,
              row.param);
  ExpectGoodHttp();
  ExpectUnharmed();
}

void DoorsTest::Check(const RequestRow& row) const {
  SCOPED_TRACE(row.name);
  const HttpReply reply = SendHttp(row.bytes);
  ExpectReply(reply, row.status, row.code, row.param);
  EXPECT_TRUE(absl::StrContains(reply.head, row.header)) << reply.head;
  ExpectGoodHttp();
  ExpectUnharmed();
}

void DoorsTest::Check(const GenerateRow& row) const {
  SCOPED_TRACE(row.name);
  const GrpcReply reply = SendGenerate(row.request, row.metadata);
  EXPECT_EQ(reply.status, row.status) << reply.message;
  EXPECT_EQ(reply.message.empty(), reply.status == grpc::StatusCode::OK);
  if (row.code != nullptr) {
    EXPECT_EQ(reply.code, row.code) << reply.message;
    EXPECT_EQ(reply.param, row.param) << reply.message;
  }
  ExpectGoodGrpc();
  ExpectUnharmed();
}

}  // namespace mesh::gateway
