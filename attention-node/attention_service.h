// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "absl/base/thread_annotations.h"
#include "attention-node/attention_identity.h"
#include "attention-node/expert_dialer.h"
#include "attention-node/expert_links.h"
#include "attention-node/gateway_connections.h"
#include "core/mutex.h"
#include "mesh/attention/v1/attention_service.grpc.pb.h"
#include "router/transport/transport.h"
#include "service/logger.h"

namespace mesh::attention {

// The gRPC shell of an attention node: streams of gateways, statistics, probes.
// Thread-safe.
class AttentionService final : public v1::AttentionService::CallbackService {
 public:
  // What it shows and serves; outlives the service.
  struct Parts {
    GatewayConnections& connections;
    ExpertLinks& links;
    const ExpertDialer& dialer;
    const router::Transport& data_plane;
    const service::Logger& logger;
  };

  explicit AttentionService(const Parts& parts) : parts_(parts) {}

  // Once the address is known; calls before that are refused.
  void SetIdentity(std::shared_ptr<const AttentionIdentity> identity);

  grpc::ServerBidiReactor<v1::ServeRequest, v1::ServeResponse>* Serve(
      grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* GetStats(grpc::CallbackServerContext* context,
                                     const v1::GetStatsRequest* request,
                                     v1::GetStatsResponse* response) override;
  grpc::ServerUnaryReactor* ProbeExpertNodes(
      grpc::CallbackServerContext* context,
      const v1::ProbeExpertNodesRequest* request,
      v1::ProbeExpertNodesResponse* response) override;

 private:
  std::shared_ptr<const AttentionIdentity> Identity() const;

  const Parts parts_;
  mutable Mutex mutex_;
  std::shared_ptr<const AttentionIdentity> identity_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace mesh::attention
