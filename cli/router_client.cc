// SPDX-License-Identifier: Apache-2.0
#include "cli/router_client.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <algorithm>
#include <chrono>
#include <tuple>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/connect_client.h"
#include "core/status_macros.h"
#include "mesh/router/v1/membership_service.grpc.pb.h"
#include "mesh/router/v1/placement_service.grpc.pb.h"
#include "service/grpc_status.h"

namespace mesh::cli {
namespace {

namespace v1 = router::v1;

constexpr std::chrono::seconds kCallLimit{5};

constexpr std::pair<v1::LoadWindow, const char*> kWindows[] = {
    {v1::LOAD_WINDOW_1S, "1s"},
    {v1::LOAD_WINDOW_10S, "10s"},
    {v1::LOAD_WINDOW_5M, "5m"},
    {v1::LOAD_WINDOW_TOTAL, "total"}};

NodeHealth HealthOf(v1::NodeHealth health) {
  switch (health) {
    case v1::NODE_HEALTH_LOADING:
      return NodeHealth::kLoading;
    case v1::NODE_HEALTH_READY:
      return NodeHealth::kReady;
    case v1::NODE_HEALTH_DRAINING:
      return NodeHealth::kDraining;
    case v1::NODE_HEALTH_GONE:
      return NodeHealth::kGone;
    default:
      return NodeHealth::kUnknown;
  }
}

std::string RoleText(common::v1::Role role) {
  switch (role) {
    case common::v1::ROLE_GATEWAY:
      return "gateway";
    case common::v1::ROLE_ATTENTION:
      return "attention-node";
    case common::v1::ROLE_EXPERT:
      return "expert-node";
    case common::v1::ROLE_ROUTER:
      return "router";
    default:
      return "unknown";
  }
}

NodeView ToView(const v1::NodeState& state) {
  NodeView node;
  node.name = state.node().name();
  node.role = RoleText(state.node().role());
  node.health = HealthOf(state.health());
  node.grpc_address = state.node().grpc_address();
  node.metrics_address = state.node().metrics_address();
  node.version = state.node().version();
  node.node_id = state.node().node_id();
  node.heartbeat_age_seconds = state.heartbeat_age_seconds();
  node.adopted_epoch = state.adopted_epoch();
  node.experts_placed = state.experts_placed();
  node.experts_capacity = state.capacity_experts();

  const v1::NodeStatus& status = state.status();
  node.activity = status.activity();
  node.rss_bytes = status.rss_bytes();
  node.lane = status.lane();
  node.bytes_sent = status.data_plane_bytes_sent();
  node.bytes_received = status.data_plane_bytes_received();
  node.experts_held = status.expert().experts_held();
  node.weight_bytes = status.expert().weight_bytes();
  node.rows_computed = status.expert().rows_computed_total();
  node.frames_answered = status.expert().frames_answered_total();
  node.streams_running = status.attention().streams_running();
  node.streams_waiting = status.attention().streams_waiting();
  node.kv_blocks_total = status.attention().kv_blocks_total();
  node.kv_blocks_free = status.attention().kv_blocks_free();
  node.emitted_tokens = status.attention().emitted_tokens_total();
  node.steps = status.attention().steps_total();
  return node;
}

// In the order of a request's way, then by name, "x-2" before "x-10".
bool ShownBefore(const NodeView& a, const NodeView& b) {
  const auto rank = [](const NodeView& node) {
    return node.role == "gateway" ? 0 : node.role == "attention-node" ? 1 : 2;
  };
  return std::forward_as_tuple(rank(a), a.name.size(), a.name) <
         std::forward_as_tuple(rank(b), b.name.size(), b.name);
}

LoadView ToView(const v1::ExpertLoadTable& table, const char* window) {
  LoadView load;
  load.window = window;
  load.covered_seconds = table.covered_seconds();
  for (const v1::LayerLoad& layer : table.layers()) {
    load.layers.push_back({layer.layer(),
                           {layer.tokens().begin(), layer.tokens().end()},
                           layer.imbalance()});
  }
  return load;
}

}  // namespace

struct RouterClient::State {
  std::string address;
  std::unique_ptr<v1::MembershipService::Stub> membership;
  std::unique_ptr<v1::PlacementService::Stub> placement;

  // Makes one call within the limit.
  template <typename Stub, typename Request, typename Response>
  absl::Status Call(Stub& stub,
                    grpc::Status (Stub::*method)(grpc::ClientContext*,
                                                 const Request&, Response*),
                    const Request& request, Response* response) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kCallLimit);
    absl::Status status =
        service::FromGrpc((stub.*method)(&context, request, response));
    if (status.ok()) return status;
    return absl::Status(status.code(), absl::StrCat("the router at ", address,
                                                    ": ", status.message()));
  }
};

RouterClient::RouterClient(std::unique_ptr<State> state)
    : state_(std::move(state)) {}

RouterClient::~RouterClient() = default;

absl::StatusOr<std::unique_ptr<RouterClient>> RouterClient::Connect(
    const MeshTarget& target, absl::Duration limit) {
  ASSIGN_OR_RETURN(const std::shared_ptr<grpc::Channel> channel,
                   cli::Connect(target, limit));
  auto state = std::make_unique<State>();
  state->address = target.address;
  state->membership = v1::MembershipService::NewStub(channel);
  state->placement = v1::PlacementService::NewStub(channel);
  return std::unique_ptr<RouterClient>(new RouterClient(std::move(state)));
}

absl::StatusOr<MeshState> RouterClient::GetState(bool with_load) {
  v1::ListNodesResponse listed;
  RETURN_IF_ERROR(state_->Call(*state_->membership,
                               &v1::MembershipService::Stub::ListNodes,
                               v1::ListNodesRequest(), &listed));
  MeshState mesh;
  mesh.taken_at = absl::Now();
  mesh.router_address = state_->address;
  mesh.router_metrics_address = listed.router().metrics_address();
  mesh.router_version = listed.router().version();
  mesh.term = listed.term();
  mesh.active_epoch = listed.active_epoch();
  mesh.activity = listed.activity();
  mesh.model_digest = absl::BytesToHexString(listed.model_digest());
  mesh.numerics = listed.numerics_class();
  for (const v1::NodeState& node : listed.nodes()) {
    mesh.nodes.push_back(ToView(node));
  }
  std::sort(mesh.nodes.begin(), mesh.nodes.end(), ShownBefore);
  if (!with_load) return mesh;
  for (const auto& [window, name] : kWindows) {
    v1::GetExpertLoadRequest request;
    request.set_window(window);
    v1::GetExpertLoadResponse response;
    RETURN_IF_ERROR(state_->Call(*state_->placement,
                                 &v1::PlacementService::Stub::GetExpertLoad,
                                 request, &response));
    mesh.load.push_back(ToView(response.load(), name));
  }
  return mesh;
}

absl::StatusOr<PlacementView> RouterClient::GetPlacement() {
  v1::GetPlacementResponse response;
  RETURN_IF_ERROR(state_->Call(*state_->placement,
                               &v1::PlacementService::Stub::GetPlacement,
                               v1::GetPlacementRequest(), &response));
  const v1::Placement& placement = response.placement();
  PlacementView view;
  view.epoch = placement.epoch();
  for (const v1::LayerPlacement& layer : placement.layers()) {
    int next = 0;
    for (uint32_t expert = 0; expert < placement.num_experts(); ++expert) {
      const int at = static_cast<int>(expert);
      const uint32_t count =
          at < layer.replicas_size() ? layer.replicas(at) : 1;
      for (uint32_t i = 0; i < count && next < layer.ordinals_size(); ++i) {
        const int ordinal = static_cast<int>(layer.ordinals(next++));
        if (ordinal >= placement.nodes_size()) continue;
        view.experts[placement.nodes(ordinal).name()].insert(
            {layer.layer(), expert});
      }
    }
  }
  return view;
}

}  // namespace mesh::cli
