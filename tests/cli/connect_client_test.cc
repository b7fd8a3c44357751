// SPDX-License-Identifier: Apache-2.0
#include "cli/connect_client.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "mesh/gateway/v1/inference_service.grpc.pb.h"
#include "tests/cli/test_server.h"

namespace mesh::cli {
namespace {

TEST(Connect, ReturnsAConnectedChannel) {
  gateway::v1::InferenceService::CallbackService service;
  TestServer server({&service});
  EXPECT_TRUE(Connect(server.Target(), absl::Seconds(10)).ok());
}

TEST(Connect, ARefusedConnectionIsSaidAtOnce) {
  MeshTarget nobody;
  {
    gateway::v1::InferenceService::CallbackService service;
    TestServer server({&service});
    nobody = server.Target();
  }
  const absl::Time start = absl::Now();
  const absl::Status status = Connect(nobody, absl::Minutes(1)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(status.message(),
            "nothing answers at " + nobody.address +
                "; start a mesh with deploy/up, or name another address");
  EXPECT_LT(absl::Now() - start, absl::Seconds(30));
}

// Its connections are accepted by the kernel, and nobody speaks.
TEST(Connect, ASilentListenerIsGivenUp) {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* any = reinterpret_cast<sockaddr*>(&address);
  ASSERT_EQ(bind(listener, any, size), 0);
  ASSERT_EQ(listen(listener, 1), 0);
  ASSERT_EQ(getsockname(listener, any, &size), 0);
  const MeshTarget silent = {
      "127.0.0.1:" + std::to_string(ntohs(address.sin_port)), {}};
  EXPECT_EQ(Connect(silent, absl::Milliseconds(200)).status().code(),
            absl::StatusCode::kUnavailable);
  close(listener);
}

TEST(Connect, PlaintextStaysOnThisMachine) {
  EXPECT_EQ(Connect({"192.0.2.1:9400", {}}, absl::Seconds(1)).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace mesh::cli
