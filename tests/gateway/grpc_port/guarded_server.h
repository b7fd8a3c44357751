// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "absl/time/clock.h"
#include "gateway/grpc_port/grpc_port.h"
#include "service/grpc_channel.h"
#include "service/grpc_server.h"
#include "service/process_stats.h"
#include "tests/gateway/grpc_port/echo_service.h"
#include "tests/support/status_matchers.h"

namespace mesh::gateway {

// An echo service behind a guarded port, and clients of gRPC's own.
class GuardedServer {
 public:
  // Limits of connections that let tests connect as they like.
  static GuardedGrpcPort::Options TestOptions() {
    GuardedGrpcPort::Options options;
    options.connections = {.max_connections = 2000,
                           .max_per_address = 2000,
                           .max_new_per_second = 2000};
    return options;
  }

  explicit GuardedServer(const GuardedGrpcPort::Options& options) {
    service::GrpcServer::Options server_options;
    server_options.services = {&service_};
    server_options.max_message_bytes = 4 << 20;
    server_options.max_concurrent_streams = 100;
    server_options.external_connections = true;
    auto server = service::GrpcServer::Start(server_options);
    EXPECT_OK(server);
    server_ = *std::move(server);
    auto port = GuardedGrpcPort::Start(options, server_->Connections(), clock_);
    EXPECT_OK(port);
    port_ = *std::move(port);
  }

  GuardedGrpcPort& Port() { return *port_; }
  service::GrpcServer& Server() { return *server_; }
  const std::string& Address() const { return port_->Address(); }

  std::unique_ptr<v1::InferenceService::Stub> Stub(
      const service::ChannelOptions& options = {}) const {
    return v1::InferenceService::NewStub(
        service::MakeChannel(Address(), options).value());
  }

  // A call over a fresh connection; its status.
  grpc::Status GoodCall() const {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::seconds(10));
    // A channel of its own, not one that gRPC shares among equals.
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    const auto stub = v1::InferenceService::NewStub(grpc::CreateCustomChannel(
        Address(), grpc::InsecureChannelCredentials(), arguments));
    v1::TokenizeRequest request;
    request.set_text("hello");
    v1::TokenizeResponse response;
    const grpc::Status status = stub->Tokenize(&context, request, &response);
    if (status.ok()) {
      EXPECT_EQ(response.ids(0), 5);
    }
    return status;
  }

  // True once as many connections are there; waits for at most 10 s.
  bool AwaitConnections(int count) {
    return Await([&] { return port_->NumConnections() == count; });
  }
  bool AwaitClosed(CloseReason reason, uint64_t count) {
    return Await([&] { return port_->NumClosed(reason) >= count; });
  }

  template <typename Condition>
  static bool Await(Condition condition) {
    const absl::Time deadline = absl::Now() + absl::Seconds(10);
    while (!condition()) {
      if (absl::Now() > deadline) return false;
      absl::SleepFor(absl::Milliseconds(2));
    }
    return true;
  }

 private:
  RealClock clock_;
  EchoService service_;
  std::unique_ptr<service::GrpcServer> server_;
  std::unique_ptr<GuardedGrpcPort> port_;
};

}  // namespace mesh::gateway
