// SPDX-License-Identifier: Apache-2.0
#include "router/control/placement_service.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "core/status_macros.h"
#include "router/control/load_proto.h"
#include "router/control/load_watch_service.h"
#include "router/control/membership_proto.h"
#include "router/placement/placement_proto.h"
#include "service/grpc_status.h"
#include "service/peer_identity.h"

namespace mesh::router {
namespace {

using service::Role;

constexpr absl::Duration kLeastPeriod = absl::Seconds(1);
constexpr int kMaxLayers = 4096;

absl::Status AuthorizeReader(const grpc::ServerContextBase& context) {
  return service::Authorize(
      context, {Role::kGateway, Role::kAttention, Role::kExpert, Role::kRouter,
                Role::kOperator});
}

// Told apart from what is malformed: the planner's own mistakes look so.
absl::Status CheckCovered(const v1::Placement& placement) {
  for (const v1::LayerPlacement& layer : placement.layers()) {
    for (int e = 0; e < layer.replicas_size(); ++e) {
      if (layer.replicas(e) != 0) continue;
      return absl::FailedPreconditionError(absl::StrFormat(
          "uncovered_expert: expert %d of layer %d has no replica", e,
          layer.layer()));
    }
  }
  return absl::OkStatus();
}

struct LoadQuery {
  LoadSpan span = LoadSpan::kTotal;
  std::vector<LayerId> layers;
};

template <typename Request>
absl::StatusOr<LoadQuery> ParseQuery(const Request& request) {
  LoadQuery query;
  ASSIGN_OR_RETURN(query.span, FromProto(request.window()));
  if (request.layers_size() > kMaxLayers) {
    return absl::InvalidArgumentError("layers: expected at most 4096");
  }
  for (const uint32_t layer : request.layers()) {
    if (layer > UINT16_MAX) {
      return absl::InvalidArgumentError(
          absl::StrFormat("layers: layer %d has no routed experts", layer));
    }
    query.layers.push_back(LayerId{static_cast<uint16_t>(layer)});
  }
  return query;
}

// Ends a watch that was never begun.
class RefusedWatch final
    : public grpc::ServerWriteReactor<v1::WatchExpertLoadResponse> {
 public:
  explicit RefusedWatch(const absl::Status& status) {
    Finish(service::ToGrpc(status));
  }
  void OnDone() override { delete this; }
};

}  // namespace

grpc::ServerUnaryReactor* PlacementService::GetPlacement(
    grpc::CallbackServerContext* context,
    const v1::GetPlacementRequest* /*request*/,
    v1::GetPlacementResponse* response) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  if (absl::Status status = AuthorizeReader(*context); !status.ok()) {
    reactor->Finish(service::ToGrpc(status));
    return reactor;
  }
  thread_->Post([reactor, response](Controller& controller) {
    const PlacementControl* const placement = controller.PlacementState();
    const auto active = placement == nullptr ? nullptr : placement->Active();
    if (active == nullptr) {
      return reactor->Finish(service::ToGrpc(absl::FailedPreconditionError(
          "there is no placement yet; see `expertmesh status`")));
    }
    *response->mutable_placement() = ToProto(*active);
    reactor->Finish(grpc::Status::OK);
  });
  return reactor;
}

grpc::ServerUnaryReactor* PlacementService::ActivatePlacement(
    grpc::CallbackServerContext* context,
    const v1::ActivatePlacementRequest* request,
    v1::ActivatePlacementResponse* /*response*/) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  absl::Status status = service::Authorize(*context, {Role::kOperator});
  if (status.ok()) status = CheckCovered(request->placement());
  if (!status.ok()) {
    reactor->Finish(service::ToGrpc(status));
    return reactor;
  }
  const auto table = FromProto(request->placement());
  if (!table.ok()) {
    reactor->Finish(service::ToGrpc(table.status()));
    return reactor;
  }
  thread_->Post([reactor,
                 placement = table->placement](Controller& controller) {
    reactor->Finish(service::ToGrpc(controller.ActivatePlacement(*placement)));
  });
  return reactor;
}

grpc::ServerUnaryReactor* PlacementService::GetExpertLoad(
    grpc::CallbackServerContext* context,
    const v1::GetExpertLoadRequest* request,
    v1::GetExpertLoadResponse* response) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  absl::Status status = AuthorizeReader(*context);
  const auto query = ParseQuery(*request);
  status.Update(query.status());
  if (!status.ok()) {
    reactor->Finish(service::ToGrpc(status));
    return reactor;
  }
  thread_->Post([reactor, response, query = *query](Controller& controller) {
    const auto table = controller.ReadLoad(query.span, query.layers);
    if (table.ok()) *response->mutable_load() = ToProto(*table);
    reactor->Finish(service::ToGrpc(table.status()));
  });
  return reactor;
}

grpc::ServerWriteReactor<v1::WatchExpertLoadResponse>*
PlacementService::WatchExpertLoad(grpc::CallbackServerContext* context,
                                  const v1::WatchExpertLoadRequest* request) {
  absl::Status status = AuthorizeReader(*context);
  const auto query = ParseQuery(*request);
  status.Update(query.status());
  if (!status.ok()) return new RefusedWatch(status);
  const absl::Duration period = absl::Seconds(request->period().seconds()) +
                                absl::Nanoseconds(request->period().nanos());
  const auto watch = std::make_shared<LoadWatchService>(
      *thread_, query->span, query->layers, std::max(period, kLeastPeriod));
  watch->Start();
  return watch.get();
}

}  // namespace mesh::router
