// SPDX-License-Identifier: Apache-2.0
#include "tests/router/control/raw_node.h"

#include <chrono>

#include "core/check.h"
#include "service/grpc_channel.h"
#include "service/grpc_status.h"

namespace mesh::router {

RawNode::RawNode(const std::string& router, const service::TlsOptions& tls) {
  const auto channel = service::MakeChannel(router, {.tls = tls});
  MESH_CHECK(channel.ok());
  context_.set_deadline(std::chrono::system_clock::now() +
                        std::chrono::seconds(20));
  context_.set_wait_for_ready(true);
  stub_ = v1::MembershipService::NewStub(*channel);
  stream_ = stub_->Join(&context_);
}

RawNode::RawNode(const std::string& router, const v1::JoinHello& hello,
                 const service::TlsOptions& tls)
    : RawNode(router, tls) {
  SendHello(hello);
}

RawNode::~RawNode() {
  context_.TryCancel();
  (void)End();
}

void RawNode::Send(const v1::JoinRequest& request) { stream_->Write(request); }

void RawNode::SendHello(const v1::JoinHello& hello) {
  v1::JoinRequest request;
  *request.mutable_hello() = hello;
  Send(request);
}

std::optional<v1::JoinResponse> RawNode::Read() {
  v1::JoinResponse response;
  if (!stream_->Read(&response)) return std::nullopt;
  return response;
}

std::optional<v1::JoinResponse> RawNode::ReadUntil(
    v1::JoinResponse::MessageCase message) {
  auto response = Read();
  while (response.has_value() && response->message_case() != message) {
    response = Read();
  }
  return response;
}

bool RawNode::Sync(uint64_t sequence) {
  v1::JoinRequest request;
  request.mutable_heartbeat()->set_sequence(sequence);
  Send(request);
  const auto answer = ReadUntil(v1::JoinResponse::kHeartbeatAck);
  return answer.has_value() && answer->heartbeat_ack().sequence() == sequence;
}

absl::Status RawNode::End() {
  if (!end_.has_value()) {
    while (Read().has_value()) {
    }
    end_ = service::FromGrpc(stream_->Finish());
  }
  return *end_;
}

}  // namespace mesh::router
