// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "gateway/admission/tenant_registry.h"
#include "gateway/gateway_metrics.h"
#include "gateway/generation.h"
#include "gateway/grpc_port/grpc_port.h"
#include "gateway/inference_service.h"
#include "service/grpc_server.h"

namespace mesh::gateway {

// The gateway over gRPC: the service, health and reflection behind a guarded
// port. Its methods are thread-safe, but Stop.
class GrpcDoor {
 public:
  // What `context` refers to, and `tenants`, outlive the door. Errors: those of
  // service::GrpcServer and GuardedGrpcPort.
  static absl::StatusOr<std::unique_ptr<GrpcDoor>> Start(
      const GuardedGrpcPort::Options& port, const GenerationContext& context,
      TenantRegistry& tenants);
  ~GrpcDoor();

  // host:port, with the port that was found for 0.
  const std::string& Address() const { return port_->Address(); }
  void SetReady(bool ready) { server_->SetReady(ready); }
  // Cancels the calls that run, and lets their clients hear of it. Idempotent.
  void Stop();
  void Export(GatewayMetrics& metrics) const;

 private:
  GrpcDoor(const GenerationContext& context, TenantRegistry& tenants)
      : service_(context, tenants) {}

  InferenceService service_;
  std::unique_ptr<service::GrpcServer> server_;
  std::unique_ptr<GuardedGrpcPort> port_;
};

}  // namespace mesh::gateway
