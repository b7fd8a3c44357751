// SPDX-License-Identifier: Apache-2.0
#include "attention-node/serve_stream_service.h"

#include <optional>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "attention-node/identity_proto.h"
#include "attention-node/transcript_proto.h"
#include "core/status_macros.h"
#include "service/grpc_status.h"
#include "service/handshake_proto.h"
#include "service/peer_identity.h"

namespace mesh::attention {

ServeStream* ServeStream::Start(
    const AttentionService::Parts& parts,
    std::shared_ptr<const AttentionIdentity> identity,
    grpc::CallbackServerContext* context) {
  std::shared_ptr<ServeStream> stream(
      new ServeStream(parts, std::move(identity), context));
  stream->self_ = stream;
  stream->StartRead(&stream->request_);
  return stream.get();
}

void ServeStream::OnReadDone(bool ok) {
  if (!ok) {
    End(absl::OkStatus());
    return;
  }
  if (const absl::Status status = Take(request_); !status.ok()) {
    End(status);
    return;
  }
  const MutexLock lock(mutex_);
  if (!finished_) StartRead(&request_);
}

absl::Status ServeStream::Take(const v1::ServeRequest& request) {
  if (request.has_hello() != gateway_.empty()) {
    return absl::InvalidArgumentError(
        "the first message of a stream, and only the first, is a hello");
  }
  if (request.has_hello()) return TakeHello(request.hello());
  std::shared_ptr<GatewayConnection> connection;
  {
    const MutexLock lock(mutex_);
    connection = connection_;
  }
  if (request.has_submit()) {
    TakeSubmit(request.submit());
  } else if (request.has_cancel()) {
    connection->Cancel(KeyOf(request.cancel()));
  } else {
    connection->OnHeartbeat();
  }
  return absl::OkStatus();
}

absl::Status ServeStream::TakeHello(const v1::GatewayHello& hello) {
  if (hello.node().name().empty()) {
    return absl::InvalidArgumentError("the hello names no gateway");
  }
  RETURN_IF_ERROR(service::AuthorizeAs(*context_, service::Role::kGateway,
                                       hello.node().name()));
  RETURN_IF_ERROR(
      service::CheckHandshake(HandshakeOf(*identity_), hello.handshake(),
                              absl::StrCat("gateway ", hello.node().name())));
  ASSIGN_OR_RETURN(auto connection,
                   parts_.connections.Connect(weak_from_this()));
  gateway_ = hello.node().name();
  parts_.logger.Info("gateway_connected", {{"gateway", gateway_}});
  const MutexLock lock(mutex_);
  connection_ = std::move(connection);
  hello_due_ = true;
  Write();
  return absl::OkStatus();
}

void ServeStream::TakeSubmit(const v1::Submit& submit) {
  std::shared_ptr<GatewayConnection> connection;
  {
    const MutexLock lock(mutex_);
    connection = connection_;
  }
  parts_.logger.Debug("submit", {{"request_id", submit.request_id()},
                                 {"gateway", gateway_},
                                 {"attempt", uint64_t{submit.attempt()}}});
  absl::StatusOr<GatewayConnection::Request> request = FromProto(submit);
  if (request.ok()) {
    connection->Submit(*std::move(request));
  } else {
    connection->Refuse(KeyOf(submit), request.status());
  }
}

void ServeStream::OnWriteDone(bool ok) {
  if (!ok) {
    End(absl::UnavailableError("the gateway is gone"));
    return;
  }
  const MutexLock lock(mutex_);
  writing_ = false;
  Write();
}

void ServeStream::OnOutgoing() {
  const MutexLock lock(mutex_);
  Write();
}

void ServeStream::Write() {
  if (finished_ || writing_ || !FillNext()) return;
  writing_ = true;
  StartWrite(&response_);
}

void ServeStream::FillHello(v1::AttentionHello* hello) const {
  const EngineModel& model = *parts_.connections.Model();
  *hello->mutable_handshake() = HandshakeOf(*identity_);
  *hello->mutable_node() = NodeInfoOf(*identity_);
  hello->set_vocab_size(static_cast<uint32_t>(model.vocab_size));
  hello->set_max_positions(static_cast<uint32_t>(model.max_positions));
  hello->add_routing_table_versions(model.routing->version);
  hello->set_heartbeat_interval_ms(
      static_cast<uint32_t>(absl::ToInt64Milliseconds(
          parts_.connections.ConnectionOptions().heartbeat_interval)));
  hello->set_max_streams(static_cast<uint32_t>(
      parts_.connections.ConnectionOptions().max_streams));
}

bool ServeStream::FillNext() {
  if (connection_ == nullptr) return false;
  response_.Clear();
  if (std::exchange(hello_due_, false)) {
    FillHello(response_.mutable_hello());
    return true;
  }
  const std::optional<GatewayConnection::Outgoing> next = connection_->Next();
  if (!next.has_value()) return false;
  if (const auto* results = std::get_if<StepResults>(&*next)) {
    *response_.mutable_step() = ToProto(*results);
    *response_.mutable_step()->mutable_load() =
        ToProto(parts_.connections.GetLoad());
  } else if (const auto* refusal = std::get_if<Refusal>(&*next)) {
    *response_.mutable_refused() = ToProto(*refusal);
  } else {
    const auto& beat = std::get<GatewayConnection::Heartbeat>(*next);
    response_.mutable_heartbeat()->set_sequence(beat.sequence);
    *response_.mutable_heartbeat()->mutable_load() =
        ToProto(parts_.connections.GetLoad());
  }
  return true;
}

void ServeStream::OnCancel() {
  End(absl::CancelledError("the gateway ended the stream"));
}

void ServeStream::End(const absl::Status& status) { End(status, false); }

void ServeStream::CutOff(const absl::Status& status) {
  parts_.logger.Warning("gateway_cut_off",
                        {{"error", std::string(status.message())}});
  End(status, true);
}

void ServeStream::End(const absl::Status& status, bool at_once) {
  std::shared_ptr<GatewayConnection> connection;
  {
    const MutexLock lock(mutex_);
    connection = connection_;
    if (!finished_) {
      // A write that the gateway does not take would hold up the end.
      if (at_once && writing_) context_->TryCancel();
      Finish(service::ToGrpc(status));
    }
    finished_ = true;
  }
  if (connection != nullptr) connection->Close();
}

void ServeStream::OnDone() {
  parts_.logger.Info("gateway_gone", {{"gateway", gateway_}});
  const std::shared_ptr<ServeStream> self = std::move(self_);
}

}  // namespace mesh::attention
