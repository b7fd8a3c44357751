// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "mesh/router/v1/membership_service.grpc.pb.h"
#include "service/tls.h"

namespace mesh::router {

// A node that says exactly what a test tells it to, over one Join stream that
// ends with the object. Every wait ends after 20 s. Owned by one thread.
class RawNode {
 public:
  explicit RawNode(const std::string& router,
                   const service::TlsOptions& tls = {});
  // Says hello.
  RawNode(const std::string& router, const v1::JoinHello& hello,
          const service::TlsOptions& tls = {});
  ~RawNode();

  void Send(const v1::JoinRequest& request);
  void SendHello(const v1::JoinHello& hello);
  // The next message; nothing once the stream has ended.
  std::optional<v1::JoinResponse> Read();
  // The next message of that kind; others are dropped.
  std::optional<v1::JoinResponse> ReadUntil(
      v1::JoinResponse::MessageCase message);
  // Sends a heartbeat and waits for its answer: all that was sent before has
  // been dealt with then.
  bool Sync(uint64_t sequence = 1);
  // What the router ended the stream with.
  absl::Status End();

 private:
  grpc::ClientContext context_;
  std::unique_ptr<v1::MembershipService::Stub> stub_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::JoinRequest, v1::JoinResponse>>
      stream_;
  std::optional<absl::Status> end_;
};

}  // namespace mesh::router
