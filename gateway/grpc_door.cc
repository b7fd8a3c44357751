// SPDX-License-Identifier: Apache-2.0
#include "gateway/grpc_door.h"

#include <utility>

#include "absl/time/time.h"
#include "core/status_macros.h"

namespace mesh::gateway {
namespace {

// Of a request: as much text as it may have, and what is around it.
constexpr int kMaxMessageBytes = (4 << 20) + (64 << 10);
// For the last bytes to the clients.
constexpr absl::Duration kFarewell = absl::Seconds(1);

}  // namespace

absl::StatusOr<std::unique_ptr<GrpcDoor>> GrpcDoor::Start(
    const GuardedGrpcPort::Options& port, const GenerationContext& context,
    TenantRegistry& tenants) {
  std::unique_ptr<GrpcDoor> door(new GrpcDoor(context, tenants));
  service::GrpcServer::Options server;
  server.services = {&door->service_};
  server.service_names = {v1::InferenceService::service_full_name()};
  server.max_message_bytes = kMaxMessageBytes;
  server.max_concurrent_streams = static_cast<int>(port.frames.max_streams);
  server.external_connections = true;
  ASSIGN_OR_RETURN(door->server_, service::GrpcServer::Start(server));
  ASSIGN_OR_RETURN(door->port_,
                   GuardedGrpcPort::Start(port, door->server_->Connections(),
                                          context.clock));
  return door;
}

GrpcDoor::~GrpcDoor() { Stop(); }

void GrpcDoor::Stop() {
  if (port_ != nullptr) port_->StopAccepting();
  if (server_ != nullptr) server_->Shutdown(absl::ZeroDuration());
  if (port_ != nullptr) port_->AwaitNone(kFarewell);
}

void GrpcDoor::Export(GatewayMetrics& metrics) const {
  metrics.SetConnections("grpc", "accepted", port_->NumAccepted());
  metrics.SetConnections("grpc", "refused", port_->NumRefused());
  for (size_t i = 0; i < kNumCloseReasons; ++i) {
    const auto reason = static_cast<CloseReason>(i);
    metrics.SetConnections("grpc", CloseReasonName(reason),
                           port_->NumClosed(reason));
  }
}

}  // namespace mesh::gateway
