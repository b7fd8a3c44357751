// SPDX-License-Identifier: Apache-2.0
#include "expert-node/expert_service.h"

#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "core/status_macros.h"
#include "expert-node/expert_proto.h"
#include "service/grpc_status.h"
#include "service/handshake_proto.h"
#include "service/peer_identity.h"

namespace mesh::expert {
namespace {

constexpr size_t kMaxNameBytes = 64;
constexpr size_t kMaxAddressBytes = 4096;

// For messages and logs: what a caller says may be anything.
std::string Shown(const std::string& text) {
  return absl::CHexEscape(text.substr(0, kMaxNameBytes));
}

grpc::ServerUnaryReactor* Finish(grpc::CallbackServerContext* context,
                                 const absl::Status& status) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(service::ToGrpc(status));
  return reactor;
}

}  // namespace

void ExpertService::SetIdentity(
    std::shared_ptr<const ExpertIdentity> identity) {
  MutexLock lock(mutex_);
  identity_ = std::move(identity);
}

std::shared_ptr<const ExpertIdentity> ExpertService::Identity() const {
  MutexLock lock(mutex_);
  return identity_;
}

grpc::ServerUnaryReactor* ExpertService::OpenDataPlane(
    grpc::CallbackServerContext* context,
    const v1::OpenDataPlaneRequest* request,
    v1::OpenDataPlaneResponse* response) {
  const absl::Status status = Open(*context, *request, *response);
  const std::string caller = Shown(request->node().name());
  if (status.ok()) {
    parts_.logger->Info("link_offered",
                        {{"caller", caller}, {"link", response->link_id()}});
  } else {
    parts_.logger->Warning(
        "link_refused",
        {{"caller", caller}, {"reason", std::string(status.message())}});
  }
  return Finish(context, status);
}

grpc::ServerUnaryReactor* ExpertService::GetStats(
    grpc::CallbackServerContext* context, const v1::GetStatsRequest* request,
    v1::GetStatsResponse* response) {
  return Finish(context, Stats(*context, *request, *response));
}

absl::Status ExpertService::Check(
    const ExpertIdentity& identity,
    const v1::OpenDataPlaneRequest& request) const {
  if (request.node().name().empty() ||
      request.node().name().size() > kMaxNameBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("node.name: of 1 to ", kMaxNameBytes, " bytes, got ",
                     request.node().name().size()));
  }
  if (request.address().size() > kMaxAddressBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("address: of at most ", kMaxAddressBytes, " bytes, got ",
                     request.address().size()));
  }
  RETURN_IF_ERROR(service::CheckHandshake(
      ToHandshake(identity), request.handshake(),
      absl::StrCat("the caller ", Shown(request.node().name()))));
  RETURN_IF_ERROR(CheckWireShape(ToWireShape(identity.wire), request.wire()));
  if (request.transport() != identity.transport) {
    return absl::FailedPreconditionError(
        absl::StrCat("the caller's data plane is \"",
                     Shown(request.transport()), "\", this node's \"",
                     identity.transport, "\"; give both the same --transport"));
  }
  return absl::OkStatus();
}

absl::Status ExpertService::Open(const grpc::CallbackServerContext& context,
                                 const v1::OpenDataPlaneRequest& request,
                                 v1::OpenDataPlaneResponse& response) {
  RETURN_IF_ERROR(service::Authorize(
      context, {service::Role::kAttention, service::Role::kOperator}));
  const auto identity = Identity();
  if (identity == nullptr) {
    return absl::UnavailableError("the node is starting; try again");
  }
  RETURN_IF_ERROR(Check(*identity, request));
  ASSIGN_OR_RETURN(
      const router::LinkOffer offer,
      parts_.acceptor->Offer(request.node().name(), request.address()));
  *response.mutable_handshake() = ToHandshake(*identity);
  response.set_address(offer.address);
  response.set_link_id(offer.link_id);
  response.set_token(offer.token);
  response.set_node_id(*parts_.node_id);
  return absl::OkStatus();
}

absl::Status ExpertService::Stats(const grpc::CallbackServerContext& context,
                                  const v1::GetStatsRequest& request,
                                  v1::GetStatsResponse& response) {
  RETURN_IF_ERROR(service::Authorize(
      context, {service::Role::kAttention, service::Role::kRouter,
                service::Role::kOperator}));
  const auto identity = Identity();
  if (identity == nullptr) {
    return absl::UnavailableError("the node is starting; try again");
  }
  response = ToProto(parts_.stats());
  *response.mutable_node() = ToNodeInfo(*identity, *parts_.node_id);
  if (!request.with_holdings()) return absl::OkStatus();
  for (const ExpertShard::Holding& holding : parts_.shard->Holdings()) {
    *response.add_holdings() = ToProto(holding);
  }
  return absl::OkStatus();
}

}  // namespace mesh::expert
