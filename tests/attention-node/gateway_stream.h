// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <grpcpp/client_context.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "core/digest.h"
#include "mesh/attention/v1/attention_service.grpc.pb.h"
#include "service/grpc_status.h"
#include "service/handshake_proto.h"

namespace mesh::attention {

// A gateway's end of one stream, as plain as can be; ends after a minute.
class GatewayStream {
 public:
  explicit GatewayStream(v1::AttentionService::Stub& stub) {
    context_.set_deadline(std::chrono::system_clock::now() +
                          std::chrono::minutes(1));
    stream_ = stub.Serve(&context_);
  }

  void Hello(const std::string& name, const Digest& model) {
    v1::ServeRequest request;
    v1::GatewayHello& hello = *request.mutable_hello();
    *hello.mutable_handshake() = service::MakeHandshake(model, "");
    hello.mutable_node()->set_name(name);
    stream_->Write(request);
  }
  void Submit(const v1::Submit& submit) {
    v1::ServeRequest request;
    *request.mutable_submit() = submit;
    stream_->Write(request);
  }
  void Heartbeat() {
    v1::ServeRequest request;
    request.mutable_heartbeat()->set_sequence(1);
    stream_->Write(request);
  }
  void Cancel(uint64_t id, uint32_t attempt) {
    v1::ServeRequest request;
    request.mutable_cancel()->set_request(id);
    request.mutable_cancel()->set_attempt(attempt);
    stream_->Write(request);
  }

  // The next message; nothing at the end of the stream.
  std::optional<v1::ServeResponse> Next() {
    v1::ServeResponse response;
    if (!stream_->Read(&response)) return std::nullopt;
    return response;
  }
  // As above, without heartbeats, which it answers.
  std::optional<v1::ServeResponse> NextEvent() {
    std::optional<v1::ServeResponse> next = Next();
    while (next.has_value() && next->has_heartbeat()) {
      Heartbeat();
      next = Next();
    }
    return next;
  }
  absl::Status Finish() {
    stream_->WritesDone();
    while (Next().has_value()) {
    }
    return service::FromGrpc(stream_->Finish());
  }
  void Break() { context_.TryCancel(); }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::ServeRequest, v1::ServeResponse>>
      stream_;
};

}  // namespace mesh::attention
