// SPDX-License-Identifier: Apache-2.0
#include "attention-node/expert_dialer_client.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <chrono>
#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "core/dtype.h"
#include "core/status_macros.h"
#include "mesh/expert/v1/expert_service.grpc.pb.h"
#include "router/transport/data_plane.h"
#include "router/transport/wire_layout.h"
#include "service/grpc_status.h"
#include "service/handshake_proto.h"

namespace mesh::attention {
namespace {

constexpr std::chrono::seconds kDialLimit{2};

expert::v1::WireShape ShapeOf(const router::WireLimits& wire) {
  expert::v1::WireShape shape;
  shape.set_version(router::kFrameVersion);
  shape.set_dtype(absl::AsciiStrToLower(std::string(DTypeName(wire.dtype))));
  shape.set_hidden_size(static_cast<uint32_t>(wire.hidden_size));
  shape.set_num_layers(static_cast<uint32_t>(wire.num_layers));
  shape.set_num_experts(static_cast<uint32_t>(wire.num_experts));
  shape.set_num_groups(static_cast<uint32_t>(wire.num_groups));
  shape.set_max_frame_bytes(wire.max_frame_bytes);
  return shape;
}

}  // namespace

struct ExpertDialerClient::Call {
  ExpertPeer peer;
  ExpertDialer::Dialled done;
  std::unique_ptr<expert::v1::ExpertService::Stub> stub;
  grpc::ClientContext context;
  expert::v1::OpenDataPlaneResponse response;
};

ExpertDialerClient::ExpertDialerClient(const Options& options)
    : options_(options) {
  *request_.mutable_handshake() = options_.handshake;
  *request_.mutable_node() = options_.node;
  *request_.mutable_wire() = ShapeOf(options_.wire);
  request_.set_transport(options_.transport);
  request_.set_address(options_.local_address);
}

ExpertDialerClient::~ExpertDialerClient() {
  const MutexLock lock(mutex_);
  stopped_ = true;
  for (Call* const call : calls_) call->context.TryCancel();
  while (!calls_.empty()) changed_.Wait(mutex_);
}

void ExpertDialerClient::Dial(const ExpertPeer& peer,
                              ExpertDialer::Dialled done) {
  const auto channel = ChannelTo(peer.address);
  if (!channel.ok()) {
    done(channel.status());
    return;
  }
  auto owned = std::make_unique<Call>();
  owned->peer = peer;
  owned->done = std::move(done);
  owned->stub = expert::v1::ExpertService::NewStub(*channel);
  owned->context.set_deadline(std::chrono::system_clock::now() + kDialLimit);
  Call* const call = owned.get();
  {
    const MutexLock lock(mutex_);
    if (stopped_) return;
    calls_.insert(owned.release());
  }
  call->stub->async()->OpenDataPlane(&call->context, &request_, &call->response,
                                     [this, call](const grpc::Status& status) {
                                       OnDone(call, service::FromGrpc(status));
                                     });
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> ExpertDialerClient::ChannelTo(
    const std::string& address) {
  const MutexLock lock(mutex_);
  const auto found = channels_.find(address);
  if (found != channels_.end()) return found->second;
  ASSIGN_OR_RETURN(auto channel,
                   service::MakeChannel(address, options_.channel));
  channels_[address] = channel;
  return channel;
}

void ExpertDialerClient::OnDone(Call* call, const absl::Status& status) {
  std::unique_ptr<Call> owned(call);
  call->done(status.ok() ? Check(*call) : absl::StatusOr<std::string>(status));
  const MutexLock lock(mutex_);
  calls_.erase(call);
  owned = nullptr;
  changed_.NotifyAll();
}

absl::StatusOr<std::string> ExpertDialerClient::Check(const Call& call) const {
  const expert::v1::OpenDataPlaneResponse& response = call.response;
  RETURN_IF_ERROR(
      service::CheckHandshake(options_.handshake, response.handshake(),
                              absl::StrCat("expert node ", call.peer.name)));
  if (response.node_id() != 0 && response.node_id() != call.peer.node.value) {
    return absl::FailedPreconditionError(absl::StrCat(
        "expert node ", call.peer.name, " is node ", response.node_id(),
        " now, the placement says ", call.peer.node.value));
  }
  return router::ConnectAddress(options_.transport,
                                {.address = response.address(),
                                 .link_id = response.link_id(),
                                 .token = response.token()});
}

}  // namespace mesh::attention
