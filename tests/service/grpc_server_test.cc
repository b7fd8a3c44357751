// SPDX-License-Identifier: Apache-2.0
#include "service/grpc_server.h"

#include <grpcpp/create_channel_posix.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "service/grpc_channel.h"
#include "service/host_port.h"
#include "service/process_stats.h"
#include "tests/service/grpc_client.h"
#include "tests/service/guarded_service.h"
#include "tests/support/status_matchers.h"

namespace mesh::service {
namespace {

using ::testing::HasSubstr;

class GrpcServerTest : public ::testing::Test {
 protected:
  GrpcServerTest() {
    GrpcServer::Options options;
    options.services = {&service_};
    options.service_names = {kGuardedService};
    options.max_message_bytes = 1 << 20;
    auto server = GrpcServer::Start(options);
    EXPECT_OK(server);
    server_ = *std::move(server);
    channel_ = MakeChannel(server_->Address(), {}).value();
  }

  Serving Health(const std::string& name) {
    const auto serving = CheckHealth(channel_, name);
    EXPECT_OK(serving) << name;
    return serving.value_or(Serving::kUnknown);
  }

  GuardedService service_;
  std::unique_ptr<GrpcServer> server_;
  std::shared_ptr<grpc::Channel> channel_;
};

TEST_F(GrpcServerTest, IsNotServingUntilReady) {
  EXPECT_EQ(Health("liveness"), Serving::kServing);
  const std::vector<std::string> names = {"", "readiness", kGuardedService};
  for (const std::string& name : names) {
    EXPECT_EQ(Health(name), Serving::kNotServing) << name;
  }
  server_->SetReady(true);
  for (const std::string& name : names) {
    EXPECT_EQ(Health(name), Serving::kServing) << name;
  }
  server_->SetReady(false);
  for (const std::string& name : names) {
    EXPECT_EQ(Health(name), Serving::kNotServing) << name;
  }
  EXPECT_EQ(Health("liveness"), Serving::kServing);
  EXPECT_THAT(CheckHealth(channel_, "nobody"),
              StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(GrpcServerTest, DescribesItself) {
  // ServerReflectionRequest.list_services is field 7.
  const auto answer = StreamRaw(
      channel_,
      "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
      "\x3a\x01*");
  ASSERT_OK(answer);
  EXPECT_THAT(*answer, HasSubstr(kGuardedService));
  EXPECT_THAT(*answer, HasSubstr("grpc.health.v1.Health"));
}

TEST_F(GrpcServerTest, PlaintextCallersOnLoopbackPass) {
  EXPECT_OK(CallRaw(channel_, kGuardedCall, ""));
}

TEST_F(GrpcServerTest, RefusesMessagesBeyondTheLimit) {
  EXPECT_THAT(CallRaw(channel_, kGuardedCall, std::string(2 << 20, 'x')),
              StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_OK(CallRaw(channel_, kGuardedCall, ""));
}

TEST_F(GrpcServerTest, TakesTheRealPortAndAdvertisesIt) {
  const HostPort address = ParseHostPort(server_->Address()).value();
  EXPECT_EQ(address.host, "127.0.0.1");
  EXPECT_GT(address.port, 0);
  EXPECT_EQ(server_->AdvertisedAddress(), server_->Address());
  GrpcServer::Options options;
  options.listen.advertise = "node-3.example:0";
  const auto other = GrpcServer::Start(options);
  ASSERT_OK(other);
  EXPECT_EQ((*other)->AdvertisedAddress(),
            absl::StrCat("node-3.example:",
                         ParseHostPort((*other)->Address()).value().port));
}

TEST_F(GrpcServerTest, ATakenPortIsAnErrorThatSaysWhatToDo) {
  GrpcServer::Options options;
  options.listen.listen = server_->Address();
  EXPECT_THAT(GrpcServer::Start(options),
              StatusIs(absl::StatusCode::kAlreadyExists,
                       absl::StrCat("address ", server_->Address(),
                                    ": the port is taken; choose another with "
                                    "--listen")));
}

TEST_F(GrpcServerTest, ThePortIsFreeAfterShutdown) {
  const std::string address = server_->Address();
  EXPECT_EQ(Health("liveness"), Serving::kServing);  // a connection was open
  server_->Shutdown(absl::Seconds(1));
  server_->Shutdown(absl::Seconds(1));
  EXPECT_THAT(CallRaw(channel_, kGuardedCall, ""),
              StatusIs(absl::StatusCode::kUnavailable));
  GrpcServer::Options options;
  options.listen.listen = address;
  EXPECT_OK(GrpcServer::Start(options));
}

TEST_F(GrpcServerTest, ChannelsReconnectToARestartedServer) {
  EXPECT_OK(CallRaw(channel_, kGuardedCall, ""));
  GrpcServer::Options options;
  options.services = {&service_};
  options.listen.listen = server_->Address();
  server_.reset();
  EXPECT_THAT(CallRaw(channel_, kGuardedCall, ""),
              StatusIs(absl::StatusCode::kUnavailable));
  const auto server = GrpcServer::Start(options);
  ASSERT_OK(server);
  const absl::Time limit = absl::Now() + absl::Seconds(10);
  absl::Status status;
  do {
    status = CallRaw(channel_, kGuardedCall, "").status();
  } while (!status.ok() && absl::Now() < limit);
  EXPECT_OK(status);
}

TEST_F(GrpcServerTest, ServesOnUnixSockets) {
  GrpcServer::Options options;
  options.services = {&service_};
  options.listen.listen =
      absl::StrCat("unix:", ::testing::TempDir(), "/mesh_", getpid());
  const auto server = GrpcServer::Start(options);
  ASSERT_OK(server);
  EXPECT_EQ((*server)->Address(), options.listen.listen);
  const auto channel = MakeChannel((*server)->Address(), {});
  ASSERT_OK(channel);
  EXPECT_OK(CallRaw(*channel, kGuardedCall, ""));
}

class ExternalConnections : public ::testing::Test {
 protected:
  ExternalConnections() {
    GrpcServer::Options options;
    options.services = {&service_};
    options.external_connections = true;
    server_ = GrpcServer::Start(options).value();
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends_), 0);
  }

  GuardedService service_;
  std::unique_ptr<GrpcServer> server_;
  int ends_[2] = {-1, -1};
};

TEST_F(ExternalConnections, AreServed) {
  EXPECT_EQ(server_->Address(), "");
  server_->Connections().Take(ends_[0]);
  const auto channel = grpc::CreateInsecureChannelFromFd("server", ends_[1]);
  EXPECT_OK(CallRaw(channel, kGuardedCall, ""));
}

TEST_F(ExternalConnections, AreClosedAfterTheShutdown) {
  server_->Shutdown(absl::ZeroDuration());
  server_->Connections().Take(ends_[0]);
  char byte = 0;
  EXPECT_EQ(read(ends_[1], &byte, 1), 0);
  close(ends_[1]);
}

TEST(GrpcChannel, PlaintextBeyondLoopbackIsRefused) {
  EXPECT_THAT(MakeChannel("10.0.0.1:9400", {}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("--insecure-lab")));
  EXPECT_OK(MakeChannel("10.0.0.1:9400", {.insecure_lab = true}));
}

}  // namespace
}  // namespace mesh::service
