// SPDX-License-Identifier: Apache-2.0
#include "gateway/grpc_port/grpc_port.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "gateway/grpc_port/client_address.h"
#include "tests/gateway/grpc_port/guarded_server.h"
#include "tests/gateway/grpc_port/http2_bytes.h"
#include "tests/gateway/grpc_port/raw_client.h"
#include "tests/support/mesh_certificates.h"
#include "tests/support/temp_dir.h"

namespace mesh::gateway {
namespace {

constexpr uint32_t kMessages = 25000;

class GrpcPortTest : public ::testing::Test {
 protected:
  GuardedServer guarded_{GuardedServer::TestOptions()};
};

TEST_F(GrpcPortTest, ServesCalls) {
  EXPECT_TRUE(guarded_.GoodCall().ok());
  EXPECT_EQ(guarded_.Port().NumAccepted(), 1u);
  EXPECT_TRUE(guarded_.AwaitClosed(CloseReason::kClient, 1));
  EXPECT_TRUE(guarded_.AwaitConnections(0));
}

TEST_F(GrpcPortTest, HandlersSeeTheClientsAddress) {
  grpc::ClientContext context;
  v1::DetokenizeResponse response;
  ASSERT_TRUE(guarded_.Stub()->Detokenize(&context, {}, &response).ok());
  EXPECT_EQ(ClientAddress(response.text()), "127.0.0.1") << response.text();
}

TEST_F(GrpcPortTest, CarriesMessagesUpToTheLimit) {
  const auto stub = guarded_.Stub();
  for (const size_t size : {size_t{0}, size_t{70000}, size_t{4000000}}) {
    grpc::ClientContext context;
    v1::TokenizeRequest request;
    request.set_text(std::string(size, 'x'));
    v1::TokenizeResponse response;
    ASSERT_TRUE(stub->Tokenize(&context, request, &response).ok()) << size;
    EXPECT_EQ(response.ids(0), static_cast<int>(size));
  }
}

// Window updates and bandwidth pings of a real client are not taken for a
// flood.
TEST_F(GrpcPortTest, CarriesLongFastStreams) {
  const auto stub = guarded_.Stub();
  std::vector<std::thread> readers;
  for (int i = 0; i < 4; ++i) {
    readers.emplace_back([&stub] {
      grpc::ClientContext context;
      v1::GenerateRequest request;
      request.set_max_tokens(kMessages);
      const auto reader = stub->Generate(&context, request);
      v1::GenerateResponse response;
      uint32_t num_read = 0;
      while (reader->Read(&response)) ++num_read;
      EXPECT_TRUE(reader->Finish().ok());
      EXPECT_EQ(num_read, kMessages);
    });
  }
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(guarded_.Port().NumClosed(CloseReason::kControlFrames), 0u);
}

TEST_F(GrpcPortTest, CarriesManyCallsOfOneConnection) {
  const auto stub = guarded_.Stub();
  for (int i = 0; i < 5000; ++i) {
    grpc::ClientContext context;
    v1::TokenizeResponse response;
    ASSERT_TRUE(stub->Tokenize(&context, {}, &response).ok()) << i;
  }
  EXPECT_EQ(guarded_.Port().NumAccepted(), 1u);
}

TEST_F(GrpcPortTest, Drains) {
  const auto stub = guarded_.Stub();
  grpc::ClientContext context;
  v1::GenerateRequest request;
  request.set_max_tokens(20000);
  const auto reader = stub->Generate(&context, request);
  v1::GenerateResponse response;
  ASSERT_TRUE(reader->Read(&response));
  guarded_.Port().StopAccepting();
  std::thread shutdown([this] {
    guarded_.Server().Shutdown(absl::Seconds(20));
    guarded_.Port().AwaitNone(absl::Seconds(5));
  });
  uint32_t num_read = 1;
  while (reader->Read(&response)) ++num_read;
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_EQ(num_read, 20000u);
  shutdown.join();
  EXPECT_EQ(guarded_.Port().NumConnections(), 0);
}

TEST(GrpcPortStallTest, ClosesOnWhoDoesNotRead) {
  GuardedGrpcPort::Options options = GuardedServer::TestOptions();
  options.stall_limit = absl::Milliseconds(400);
  GuardedServer guarded(options);
  RawClient client(guarded.Address());
  const std::string windows =
      Frame(FrameType::kSettings, 0, 0,
            absl::StrCat(absl::string_view("\0\4", 2), Word(0x7fffffff)));
  v1::GenerateRequest request;
  request.set_max_tokens(1000000);
  ASSERT_TRUE(client.Send(absl::StrCat(
      kHttp2Preface, windows, WindowUpdate(0, 0x7fffffff - 65535),
      Headers(1, CallHeaders("/mesh.gateway.v1.InferenceService/Generate")),
      Data(1, GrpcMessage(request.SerializeAsString()), kFlagEndStream))));
  EXPECT_TRUE(guarded.AwaitClosed(CloseReason::kStalled, 1));
  EXPECT_TRUE(guarded.GoodCall().ok());
}

TEST(GrpcPortIdleTest, SendsAwayWhoHasNoCall) {
  GuardedGrpcPort::Options options = GuardedServer::TestOptions();
  options.idle_limit = absl::Milliseconds(200);
  GuardedServer guarded(options);
  RawClient client(guarded.Address());
  ASSERT_TRUE(client.Send(Greeting()));
  ASSERT_TRUE(client.AwaitClose(absl::Seconds(10)));
  EXPECT_EQ(client.Goaway(), Http2Error::kNoError);
  EXPECT_TRUE(guarded.AwaitClosed(CloseReason::kIdle, 1));
}

// Whoever uses the channel again gets a new connection, and no error.
TEST(GrpcPortIdleTest, IsNotSeenByClientsOfGrpcs) {
  GuardedGrpcPort::Options options = GuardedServer::TestOptions();
  options.idle_limit = absl::Milliseconds(50);
  GuardedServer guarded(options);
  const auto stub = guarded.Stub();
  for (uint64_t i = 1; i <= 5; ++i) {
    grpc::ClientContext context;
    v1::TokenizeResponse response;
    ASSERT_TRUE(stub->Tokenize(&context, {}, &response).ok());
    ASSERT_TRUE(guarded.AwaitClosed(CloseReason::kIdle, i));
  }
}

TEST(GrpcPortTlsTest, WantsACertificateOfTheMesh) {
  TempDir dir;
  MakeCertificates(dir.Path(), 0, 0);
  GuardedGrpcPort::Options options = GuardedServer::TestOptions();
  options.tls = CertificatesOf(dir.Path(), "gateway");
  GuardedServer guarded(options);
  const auto stub = guarded.Stub(
      {.tls = CertificatesOf(dir.Path(), "operator"), .insecure_lab = false});
  grpc::ClientContext context;
  v1::TokenizeRequest request;
  request.set_text(std::string(1000000, 'x'));
  v1::TokenizeResponse response;
  const grpc::Status status = stub->Tokenize(&context, request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.ids(0), 1000000);
  EXPECT_FALSE(guarded.GoodCall().ok());  // in plaintext
  EXPECT_TRUE(guarded.AwaitClosed(CloseReason::kHandshake, 1));
}

}  // namespace
}  // namespace mesh::gateway
