// SPDX-License-Identifier: Apache-2.0
#include "router/control/membership_service.h"

#include <algorithm>
#include <utility>

#include "core/clock.h"
#include "core/status_macros.h"
#include "router/control/membership_proto.h"
#include "service/grpc_status.h"
#include "service/handshake_proto.h"
#include "service/peer_identity.h"

namespace mesh::router {
namespace {

using service::Role;

v1::NodeHealth HealthOf(const Member& member) {
  if (!member.Alive()) return v1::NODE_HEALTH_GONE;
  if (member.draining || member.status.draining) {
    return v1::NODE_HEALTH_DRAINING;
  }
  return member.status.ready ? v1::NODE_HEALTH_READY : v1::NODE_HEALTH_LOADING;
}

uint32_t Milliseconds(absl::Duration duration) {
  return static_cast<uint32_t>(absl::ToInt64Milliseconds(duration));
}

}  // namespace

void MembershipService::Attach(ControlThread* thread,
                               const NodeIdentity& router) {
  thread_ = thread;
  router_ = router;
}

void MembershipService::CloseAll(const absl::Status& status) {
  std::vector<std::shared_ptr<JoinStreamService>> streams;
  {
    const MutexLock lock(mutex_);
    closing_ = status;
    for (const auto& [id, entry] : streams_) streams.push_back(entry.stream);
  }
  for (const auto& stream : streams) stream->Close(status);
}

// Calls.

grpc::ServerBidiReactor<v1::JoinRequest, v1::JoinResponse>*
MembershipService::Join(grpc::CallbackServerContext* context) {
  std::shared_ptr<JoinStreamService> stream;
  std::optional<absl::Status> closing;
  {
    const MutexLock lock(mutex_);
    closing = closing_;
    const ConnectionId id{++num_connections_};
    stream = std::make_shared<JoinStreamService>(
        id, context,
        JoinStreamService::Callbacks{
            .on_message =
                [this](JoinStreamService& from,
                       const v1::JoinRequest& request) {
                  OnMessage(from, request);
                },
            .on_done = [this](JoinStreamService& of) { OnStreamDone(of); }});
    streams_[id].stream = stream;
  }
  thread_->Post([id = stream->Id()](Controller& controller) {
    controller.OnConnected(id);
  });
  stream->Start();
  if (closing.has_value()) stream->Close(*closing);
  return stream.get();
}

void MembershipService::OnMessage(JoinStreamService& stream,
                                  const v1::JoinRequest& request) {
  auto task = MakeTask(stream, request);
  if (!task.ok()) {
    logger_.Warning("join_refused",
                    {{"reason", std::string(task.status().message())}});
    return stream.Close(task.status());
  }
  thread_->Post([task = *std::move(task),
                 stream = stream.shared_from_this()](Controller& controller) {
    task(controller);
    stream->OnHandled();
  });
}

absl::StatusOr<ControlThread::Task> MembershipService::MakeTask(
    JoinStreamService& stream, const v1::JoinRequest& request) {
  const ConnectionId id = stream.Id();
  switch (request.message_case()) {
    case v1::JoinRequest::kHello: {
      ASSIGN_OR_RETURN(Hello hello, FromProto(request.hello()));
      RETURN_IF_ERROR(service::AuthorizeAs(stream.Context(), hello.node.role,
                                           hello.node.name));
      return [id, hello = std::move(hello)](Controller& controller) {
        controller.OnHello(id, hello);
      };
    }
    case v1::JoinRequest::kHeartbeat:
      SetStatus(id, request.heartbeat().status());
      return [id, sequence = request.heartbeat().sequence(),
              status = FromProto(request.heartbeat().status())](
                 Controller& controller) {
        controller.OnHeartbeat(id, sequence, status);
      };
    case v1::JoinRequest::kHoldings: {
      ASSIGN_OR_RETURN(HoldingsReport report, FromProto(request.holdings()));
      return [id, report = std::move(report)](Controller& controller) {
        controller.OnHoldings(id, report);
      };
    }
    case v1::JoinRequest::kAdopted:
      return [id, epoch = request.adopted().epoch()](Controller& controller) {
        controller.OnAdopted(id, epoch);
      };
    case v1::JoinRequest::kLoad: {
      ASSIGN_OR_RETURN(auto load, FromProto(request.load()));
      return [id, load = std::move(load)](Controller& controller) {
        controller.OnLoad(id, load);
      };
    }
    case v1::JoinRequest::kLeaving:
      return [id](Controller& controller) { controller.OnLeaving(id); };
    case v1::JoinRequest::MESSAGE_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError("a message without content");
}

void MembershipService::OnStreamDone(JoinStreamService& stream) {
  {
    const MutexLock lock(mutex_);
    streams_.erase(stream.Id());
  }
  thread_->Post([id = stream.Id()](Controller& controller) {
    controller.OnDisconnected(id);
  });
}

grpc::ServerUnaryReactor* MembershipService::ListNodes(
    grpc::CallbackServerContext* context,
    const v1::ListNodesRequest* /*request*/, v1::ListNodesResponse* response) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  if (absl::Status status = service::Authorize(
          *context, {Role::kGateway, Role::kAttention, Role::kExpert,
                     Role::kRouter, Role::kOperator});
      !status.ok()) {
    reactor->Finish(service::ToGrpc(status));
    return reactor;
  }
  thread_->Post([this, reactor, response](Controller& controller) {
    FillNodes(controller, *response);
    reactor->Finish(grpc::Status::OK);
  });
  return reactor;
}

void MembershipService::FillNodes(const Controller& controller,
                                  v1::ListNodesResponse& response) {
  const absl::Time now = RealClock().Now();
  const PlacementControl* const placement = controller.PlacementState();
  const MutexLock lock(mutex_);
  for (const auto& [id, member] : controller.Members().All()) {
    v1::NodeState& state = *response.add_nodes();
    *state.mutable_node() = ToProto(member.node);
    state.set_health(HealthOf(member));
    const auto stream = streams_.find(member.connection);
    if (stream != streams_.end()) {
      *state.mutable_status() = stream->second.status;
    }
    state.set_adopted_epoch(member.adopted_epoch);
    state.set_capacity_experts(member.capacity);
    if (placement != nullptr)
      state.set_experts_placed(placement->NumPlaced(id));
    state.set_heartbeat_age_seconds(
        std::max(0.0, absl::ToDoubleSeconds(now - member.heard)));
  }
  *response.mutable_router() = ToProto(router_);
  response.set_term(controller.Term());
  response.set_active_epoch(placement == nullptr ? 0
                                                 : placement->ActiveEpoch());
  response.set_activity(controller.Activity());
  const Controller::MeshModel& model = controller.Model();
  if (model.digest.has_value()) {
    response.set_model_digest(service::DigestBytes(*model.digest));
  }
  response.set_numerics_class(model.numerics_class);
}

grpc::ServerUnaryReactor* MembershipService::DrainNode(
    grpc::CallbackServerContext* context, const v1::DrainNodeRequest* request,
    v1::DrainNodeResponse* /*response*/) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  if (absl::Status status = service::Authorize(*context, {Role::kOperator});
      !status.ok()) {
    reactor->Finish(service::ToGrpc(status));
    return reactor;
  }
  thread_->Post([reactor, name = request->name()](Controller& controller) {
    reactor->Finish(service::ToGrpc(controller.DrainNode(name)));
  });
  return reactor;
}

// Links.

void MembershipService::Send(ConnectionId to, v1::JoinResponse response) {
  std::shared_ptr<JoinStreamService> stream;
  {
    const MutexLock lock(mutex_);
    const auto it = streams_.find(to);
    if (it == streams_.end() || closing_.has_value()) return;
    stream = it->second.stream;
  }
  stream->Send(std::move(response));
}

void MembershipService::SetStatus(ConnectionId of,
                                  const v1::NodeStatus& status) {
  const MutexLock lock(mutex_);
  const auto it = streams_.find(of);
  if (it != streams_.end()) it->second.status = status;
}

void MembershipService::SendWelcome(ConnectionId to,
                                    const WelcomeMessage& welcome) {
  v1::JoinResponse response;
  v1::Welcome& proto = *response.mutable_welcome();
  proto.set_node_id(welcome.id.value);
  proto.set_term(welcome.term);
  proto.set_protocol_version(service::MakeHandshake().max_protocol_version());
  proto.set_heartbeat_interval_ms(Milliseconds(options_.heartbeat_interval));
  proto.set_lease_ms(Milliseconds(options_.lease));
  Send(to, std::move(response));
}

void MembershipService::SendPlacement(
    ConnectionId to, const std::shared_ptr<const ReachablePlacement>& table) {
  v1::JoinResponse response;
  *response.mutable_placement() = ToProto(*table);
  Send(to, std::move(response));
}

void MembershipService::SendHosting(ConnectionId to,
                                    const HostingOrder& order) {
  v1::JoinResponse response;
  *response.mutable_hosting() = ToProto(order);
  Send(to, std::move(response));
}

void MembershipService::SendAttentionNodes(
    ConnectionId to, const std::vector<NodeIdentity>& nodes) {
  v1::JoinResponse response;
  *response.mutable_attention_nodes() = ToProto(nodes);
  Send(to, std::move(response));
}

void MembershipService::SendReleased(ConnectionId to) {
  v1::JoinResponse response;
  response.mutable_released();
  Send(to, std::move(response));
}

void MembershipService::SendHeartbeatAck(ConnectionId to, uint64_t sequence) {
  v1::JoinResponse response;
  response.mutable_heartbeat_ack()->set_sequence(sequence);
  Send(to, std::move(response));
}

void MembershipService::Close(ConnectionId connection,
                              const absl::Status& status) {
  std::shared_ptr<JoinStreamService> stream;
  {
    const MutexLock lock(mutex_);
    const auto it = streams_.find(connection);
    if (it == streams_.end()) return;
    stream = it->second.stream;
  }
  stream->Close(status);
}

void MembershipService::Note(absl::string_view event, const std::string& node,
                             const std::string& details) {
  logger_.Info(event, {{"about", node}, {"details", details}});
}

}  // namespace mesh::router
