// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <grpcpp/channel.h>

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "mesh/attention/v1/attention_service.pb.h"
#include "mesh/expert/v1/expert_service.pb.h"
#include "mesh/router/v1/membership_service.pb.h"
#include "mesh/router/v1/placement_service.pb.h"
#include "service/grpc_channel.h"

namespace mesh {

// Asks the processes of a mesh what they do, one call after the other, each
// with a deadline of some seconds. Used on one thread.
class MeshClient {
 public:
  explicit MeshClient(service::ChannelOptions options)
      : options_(std::move(options)) {}

  // The same channel for the same address, always. Dies for a malformed one.
  std::shared_ptr<grpc::Channel> Channel(const std::string& address);

  absl::StatusOr<router::v1::ListNodesResponse> ListNodes(
      const std::string& router);
  absl::Status DrainNode(const std::string& router, const std::string& name);
  absl::StatusOr<router::v1::Placement> GetPlacement(const std::string& router);
  absl::StatusOr<router::v1::ExpertLoadTable> GetExpertLoad(
      const std::string& router, router::v1::LoadWindow window);
  absl::StatusOr<attention::v1::GetStatsResponse> AttentionStats(
      const std::string& address);
  absl::StatusOr<attention::v1::ProbeExpertNodesResponse> ProbeExpertNodes(
      const std::string& address);
  absl::StatusOr<expert::v1::GetStatsResponse> ExpertStats(
      const std::string& address);

  // grpc.health.v1.Health.Check: OK for SERVING, kUnavailable for NOT_SERVING,
  // kNotFound for a service that is not known.
  absl::Status CheckHealth(const std::string& address,
                           const std::string& service);

 private:
  const service::ChannelOptions options_;
  std::map<std::string, std::shared_ptr<grpc::Channel>> channels_;
};

}  // namespace mesh
