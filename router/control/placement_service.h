// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "mesh/router/v1/placement_service.grpc.pb.h"
#include "router/control/control_thread.h"

namespace mesh::router {

// The gRPC shell of placements and load: checks requests and asks the control
// thread. Thread-safe.
class PlacementService final : public v1::PlacementService::CallbackService {
 public:
  // Before the first call. The thread outlives the service's calls.
  void Attach(ControlThread* thread) { thread_ = thread; }

  grpc::ServerUnaryReactor* GetPlacement(
      grpc::CallbackServerContext* context,
      const v1::GetPlacementRequest* request,
      v1::GetPlacementResponse* response) override;
  grpc::ServerUnaryReactor* ActivatePlacement(
      grpc::CallbackServerContext* context,
      const v1::ActivatePlacementRequest* request,
      v1::ActivatePlacementResponse* response) override;
  grpc::ServerUnaryReactor* GetExpertLoad(
      grpc::CallbackServerContext* context,
      const v1::GetExpertLoadRequest* request,
      v1::GetExpertLoadResponse* response) override;
  grpc::ServerWriteReactor<v1::WatchExpertLoadResponse>* WatchExpertLoad(
      grpc::CallbackServerContext* context,
      const v1::WatchExpertLoadRequest* request) override;

 private:
  ControlThread* thread_ = nullptr;
};

}  // namespace mesh::router
