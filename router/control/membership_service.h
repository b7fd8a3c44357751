// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/mutex.h"
#include "mesh/router/v1/membership_service.grpc.pb.h"
#include "router/control/control_thread.h"
#include "router/control/join_stream_service.h"
#include "router/control/node_links.h"
#include "service/logger.h"

namespace mesh::router {

// The gRPC shell of membership: checks messages, posts them to the control
// thread, and carries out what the controller wants sent. Thread-safe.
class MembershipService final : public v1::MembershipService::CallbackService,
                                public NodeLinks {
 public:
  struct Options {
    absl::Duration heartbeat_interval = absl::Milliseconds(500);
    absl::Duration lease = absl::Seconds(2);
  };

  // `logger` outlives the service.
  MembershipService(const Options& options, const service::Logger& logger)
      : options_(options), logger_(logger) {}

  // Before the first call. The thread outlives the service's calls; `router` is
  // what ListNodes tells of this process.
  void Attach(ControlThread* thread, const NodeIdentity& router);
  // Ends all join streams, so that nodes look for the next router at once, and
  // those that come later. Nothing is sent any more.
  void CloseAll(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);

  grpc::ServerBidiReactor<v1::JoinRequest, v1::JoinResponse>* Join(
      grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* ListNodes(grpc::CallbackServerContext* context,
                                      const v1::ListNodesRequest* request,
                                      v1::ListNodesResponse* response) override;
  grpc::ServerUnaryReactor* DrainNode(grpc::CallbackServerContext* context,
                                      const v1::DrainNodeRequest* request,
                                      v1::DrainNodeResponse* response) override;

  void SendWelcome(ConnectionId to, const WelcomeMessage& welcome) override;
  void SendPlacement(
      ConnectionId to,
      const std::shared_ptr<const ReachablePlacement>& table) override;
  void SendHosting(ConnectionId to, const HostingOrder& order) override;
  void SendAttentionNodes(ConnectionId to,
                          const std::vector<NodeIdentity>& nodes) override;
  void SendReleased(ConnectionId to) override;
  void SendHeartbeatAck(ConnectionId to, uint64_t sequence) override;
  void Close(ConnectionId connection, const absl::Status& status) override;
  void Note(absl::string_view event, const std::string& node,
            const std::string& details) override;

 private:
  // A stream and the last account that its node gave of itself.
  struct Entry {
    std::shared_ptr<JoinStreamService> stream;
    v1::NodeStatus status;
  };

  void OnMessage(JoinStreamService& stream, const v1::JoinRequest& request)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // The task for the control thread. Errors: those of FromProto;
  // kPermissionDenied for a hello in another's name.
  absl::StatusOr<ControlThread::Task> MakeTask(JoinStreamService& stream,
                                               const v1::JoinRequest& request)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void OnStreamDone(JoinStreamService& stream) ABSL_LOCKS_EXCLUDED(mutex_);
  void Send(ConnectionId to, v1::JoinResponse response)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void SetStatus(ConnectionId of, const v1::NodeStatus& status)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void FillNodes(const Controller& controller, v1::ListNodesResponse& response)
      ABSL_LOCKS_EXCLUDED(mutex_);

  const Options options_;
  const service::Logger& logger_;
  ControlThread* thread_ = nullptr;
  NodeIdentity router_;

  Mutex mutex_;
  std::optional<absl::Status> closing_ ABSL_GUARDED_BY(mutex_);
  uint64_t num_connections_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::flat_hash_map<ConnectionId, Entry> streams_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace mesh::router
