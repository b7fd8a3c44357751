// SPDX-License-Identifier: Apache-2.0
// Calls that are framed well and are bad inside: what gRPC and Protobuf answer
// is pinned here, so that another version of them that answers differently is
// noticed. After each a good call is served, on the same connection too.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/gateway/grpc_port/guarded_server.h"
#include "tests/gateway/grpc_port/http2_bytes.h"
#include "tests/gateway/grpc_port/raw_client.h"
#include "tests/support/sanitized.h"

namespace mesh::gateway {
namespace {

constexpr char kTokenize[] = "/mesh.gateway.v1.InferenceService/Tokenize";
constexpr char kGenerate[] = "/mesh.gateway.v1.InferenceService/Generate";
constexpr absl::Duration kSoon = absl::Seconds(10);

enum Code {
  kOk = 0,
  kDeadlineExceeded = 4,
  kResourceExhausted = 8,
  kUnimplemented = 12,
  kUnavailable = 14,
};

class BadCallsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    EXPECT_TRUE(guarded_.GoodCall().ok());
    EXPECT_TRUE(guarded_.AwaitConnections(0));
    before_ = service::ReadProcessStats();
  }

  void TearDown() override {
    EXPECT_TRUE(guarded_.GoodCall().ok());
    EXPECT_TRUE(guarded_.AwaitConnections(0));
    EXPECT_TRUE(GuardedServer::Await([this] {
      return service::ReadProcessStats().num_fds <= before_.num_fds;
    }));
  }

  // The status of one call, made by hand; then a good one on the connection.
  std::optional<int> StatusOf(const std::string& method,
                              const HeaderFields& more, const std::string& body,
                              uint8_t flags = kFlagEndStream) {
    RawClient client(guarded_.Address());
    client.Send(Greeting());
    // gRPC's limits hold once they are acknowledged.
    EXPECT_TRUE(client.AwaitFrame(FrameType::kSettings, kSoon));
    client.Send(Frame(FrameType::kSettings, kFlagAck, 0) +
                Headers(1, CallHeaders(method, more)));
    for (size_t at = 0; at < body.size() || at == 0; at += 16384) {
      const bool last = at + 16384 >= body.size();
      if (!client.Send(Data(1, body.substr(at, 16384), last ? flags : 0))) {
        break;
      }
    }
    AwaitStatus(client, 1);
    const std::optional<int> status = client.GrpcStatus(1);
    if (!connection_lives_) {
      EXPECT_TRUE(client.AwaitClose(kSoon));
      return status;
    }
    EXPECT_FALSE(client.Closed());
    client.Send(Headers(3, CallHeaders(kTokenize)) +
                Data(3, GrpcMessage("\x0a\1x"), kFlagEndStream));
    EXPECT_TRUE(client.AwaitFrame(FrameType::kData, kSoon, 3));
    return status;
  }

  static void AwaitStatus(RawClient& client, uint32_t stream) {
    const absl::Time deadline = absl::Now() + kSoon;
    while (!client.GrpcStatus(stream).has_value() && absl::Now() < deadline &&
           !client.Closed()) {
      client.AwaitClose(absl::Milliseconds(2));
    }
  }

  // Until the server lets so many bytes of stream 1 be sent in all.
  static bool AwaitWindow(RawClient& client, int64_t bytes) {
    const absl::Time deadline = absl::Now() + kSoon;
    while (absl::Now() < deadline && !client.Closed()) {
      int64_t of_stream = 65535;
      int64_t of_connection = 65535;
      for (const RawClient::Reply& reply : client.Replies()) {
        if (reply.header.type != FrameType::kWindowUpdate) continue;
        (reply.header.stream == 0 ? of_connection : of_stream) +=
            ReadUint32(AsBytes(reply.payload));
      }
      if (std::min(of_stream, of_connection) >= bytes) return true;
      client.AwaitClose(absl::Milliseconds(1));
    }
    return false;
  }

  std::optional<int> StatusOfMessage(const std::string& message) {
    return StatusOf(kTokenize, {}, GrpcMessage(message));
  }

  GuardedServer guarded_{GuardedServer::TestOptions()};
  service::ProcessStats before_;
  bool connection_lives_ = true;
};

TEST_F(BadCallsTest, UnknownMethod) {
  EXPECT_EQ(StatusOf("/mesh.gateway.v1.InferenceService/Nothing", {},
                     GrpcMessage("")),
            kUnimplemented);
  EXPECT_EQ(StatusOf("/nothing/Tokenize", {}, GrpcMessage("")), kUnimplemented);
}

TEST_F(BadCallsTest, MessageBeyondTheLimit) {
  grpc::ClientContext context;
  v1::TokenizeRequest request;
  request.set_text(std::string(5 << 20, 'x'));
  v1::TokenizeResponse response;
  const grpc::Status status =
      guarded_.Stub()->Tokenize(&context, request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(BadCallsTest, LengthOfAllThatThereIs) {
  const std::string prefix =
      absl::StrCat(absl::string_view("\0", 1), Word(0xffffffff));
  EXPECT_EQ(StatusOf(kTokenize, {}, prefix), kUnimplemented);
  // gRPC waits for it; it allocates nothing.
  EXPECT_EQ(StatusOf(kTokenize, {{"grpc-timeout", "200m"}}, prefix, 0),
            kDeadlineExceeded);
  if (!kSanitized) {
    EXPECT_LE(service::ReadProcessStats().rss_bytes,
              before_.rss_bytes + (8 << 20));
  }
}

// gRPC keeps what comes before it looks at the length.
TEST_F(BadCallsTest, MessageWithoutAnEnd) {
  RawClient client(guarded_.Address());
  client.Send(
      Greeting() + Headers(1, CallHeaders(kTokenize)) +
      Data(1, absl::StrCat(absl::string_view("\0", 1), Word(0xffffffff))));
  const std::string frame = Data(1, std::string(16384, 'x'));
  int num_sent = 0;
  while (num_sent < 10000 && AwaitWindow(client, (num_sent + 2) * 16384)) {
    if (!client.Send(frame)) break;
    ++num_sent;
  }
  EXPECT_TRUE(client.AwaitClose(kSoon));
  EXPECT_EQ(client.Goaway(), Http2Error::kEnhanceYourCalm);
  EXPECT_TRUE(guarded_.AwaitClosed(CloseReason::kRequestBytes, 1));
  EXPECT_LT(num_sent, 1000);
}

TEST_F(BadCallsTest, CompressionThatWasNotAgreedOn) {
  const std::string flagged = absl::StrCat("\1", Word(4), "data");
  EXPECT_EQ(StatusOf(kTokenize, {}, flagged), kUnimplemented);
  EXPECT_EQ(StatusOf(kTokenize, {{"grpc-encoding", "nonsense"}}, flagged),
            kUnimplemented);
}

TEST_F(BadCallsTest, MessagesThatAreNotProtobuf) {
  std::string nested;  // groups of an unknown field
  for (int i = 0; i < 1000; ++i) nested += "\x7b";
  const std::string cases[] = {
      absl::StrCat("\x0a", "\x7f", "short"),  // truncated
      "\x0a",                                 // no length
      std::string("\x02\x00", 2),             // field 0
      "\x7b",                                 // a group that does not end
      "\x7c",                                 // an end without a group
      "\x0f",                                 // wire type 7
      absl::StrCat("\x78", std::string(10, '\xff'), "\1"),  // 11 bytes
      nested,
      "\x0a\2\xff\xfe",  // not UTF-8
  };
  for (const std::string& message : cases) {
    EXPECT_EQ(StatusOfMessage(message), kUnimplemented)
        << testing::PrintToString(message);
  }
}

// A known field number of another type is an unknown field to Protobuf.
TEST_F(BadCallsTest, MessageOfAnotherSchema) {
  EXPECT_EQ(StatusOfMessage("\x08\1"), kOk);
}

TEST_F(BadCallsTest, MetadataBeyondTheLimit) {
  RawClient client(guarded_.Address());
  client.Send(Greeting());
  const std::string block =
      CallHeaders(kTokenize, {{"large", std::string(20 << 10, 'x')}});
  client.Send(
      Headers(1, block.substr(0, 16384), 0) +
      Frame(FrameType::kContinuation, kFlagEndHeaders, 1, block.substr(16384)));
  EXPECT_TRUE(client.AwaitClose(kSoon));
  EXPECT_EQ(client.Goaway(), Http2Error::kEnhanceYourCalm);
}

TEST_F(BadCallsTest, ManyKeys) {
  HeaderFields keys;
  for (int i = 0; i < 1000; ++i) keys.emplace_back(absl::StrCat("k", i), "v");
  connection_lives_ = false;
  EXPECT_EQ(StatusOf(kTokenize, keys, GrpcMessage("")), kResourceExhausted);
}

// gRPC takes it for a fault of the connection.
TEST_F(BadCallsTest, BinaryMetadataThatIsNotBase64) {
  connection_lives_ = false;
  EXPECT_EQ(StatusOf(kTokenize, {{"trace-bin", "!!!!"}}, GrpcMessage("")),
            kUnavailable);
}

// The answer does not wait for the end of the request, once its message is
// there.
TEST_F(BadCallsTest, RequestThatDoesNotEnd) {
  EXPECT_EQ(StatusOf(kTokenize, {}, GrpcMessage(""), 0), kOk);
  EXPECT_EQ(StatusOf(kTokenize, {{"grpc-timeout", "200m"}}, "", 0),
            kDeadlineExceeded);
}

TEST_F(BadCallsTest, TwoRequestsOfAUnaryCall) {
  const auto status =
      StatusOf(kTokenize, {}, GrpcMessage("") + GrpcMessage(""));
  EXPECT_EQ(status, kOk);
}

// gRPC holds a message or two for it; the rest waits in the handler.
TEST_F(BadCallsTest, WindowThatIsNeverOpened) {
  RawClient client(guarded_.Address());
  const std::string no_window =
      Frame(FrameType::kSettings, 0, 0,
            absl::StrCat(absl::string_view("\0\4", 2), Word(0)));
  client.Send(absl::StrCat(kHttp2Preface, no_window) +
              Headers(1, CallHeaders(kGenerate)) +
              Data(1, GrpcMessage("\x30\xa0\x8d\x06"), kFlagEndStream));
  EXPECT_TRUE(client.AwaitFrame(FrameType::kHeaders, kSoon, 1));
  EXPECT_TRUE(guarded_.GoodCall().ok());
  EXPECT_EQ(client.Find(FrameType::kData, 1), nullptr);
  EXPECT_FALSE(client.Closed());
  if (!kSanitized) {
    EXPECT_LE(service::ReadProcessStats().rss_bytes,
              before_.rss_bytes + (8 << 20));
  }
}

}  // namespace
}  // namespace mesh::gateway
