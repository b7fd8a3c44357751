// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "core/mutex.h"
#include "expert-node/expert_identity.h"
#include "expert-node/expert_shard.h"
#include "expert-node/expert_stats.h"
#include "mesh/expert/v1/expert_service.grpc.pb.h"
#include "router/transport/link_acceptor.h"
#include "service/logger.h"

namespace mesh::expert {

// The gRPC door of an expert node. It keeps nothing of its own: links belong to
// the data plane's door, statistics to their owners. Runs on gRPC's threads.
class ExpertService final : public v1::ExpertService::CallbackService {
 public:
  struct Parts {
    const ExpertShard* shard = nullptr;
    std::shared_ptr<router::LinkAcceptor> acceptor;
    std::function<ExpertStats()> stats;
    const std::atomic<uint32_t>* node_id = nullptr;  // 0 until there is one
    const service::Logger* logger = nullptr;
  };

  // All parts outlive the service. It refuses every call until SetIdentity().
  explicit ExpertService(Parts parts) : parts_(std::move(parts)) {}

  // Once; the identity has the address that the server really took.
  void SetIdentity(std::shared_ptr<const ExpertIdentity> identity);

  grpc::ServerUnaryReactor* OpenDataPlane(
      grpc::CallbackServerContext* context,
      const v1::OpenDataPlaneRequest* request,
      v1::OpenDataPlaneResponse* response) override;
  grpc::ServerUnaryReactor* GetStats(grpc::CallbackServerContext* context,
                                     const v1::GetStatsRequest* request,
                                     v1::GetStatsResponse* response) override;

 private:
  absl::Status Open(const grpc::CallbackServerContext& context,
                    const v1::OpenDataPlaneRequest& request,
                    v1::OpenDataPlaneResponse& response);
  absl::Status Check(const ExpertIdentity& identity,
                     const v1::OpenDataPlaneRequest& request) const;
  absl::Status Stats(const grpc::CallbackServerContext& context,
                     const v1::GetStatsRequest& request,
                     v1::GetStatsResponse& response);
  std::shared_ptr<const ExpertIdentity> Identity() const;

  const Parts parts_;
  mutable Mutex mutex_;
  std::shared_ptr<const ExpertIdentity> identity_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace mesh::expert
