// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "attention-node/attention_identity.h"
#include "attention-node/expert_dialer.h"
#include "attention-node/expert_links.h"
#include "attention-node/gateway_connections.h"
#include "core/mutex.h"
#include "mesh/router/v1/membership_service.pb.h"
#include "router/client/membership_client.h"
#include "router/transport/transport.h"
#include "service/logger.h"

namespace mesh::attention {

// An attention node's side of its membership: says what it is and does, passes
// on placements, reports how much each expert is used. Thread-safe.
class RouterClient final : private router::MembershipClient::Delegate {
 public:
  // What they point to outlives the client.
  struct Parts {
    std::shared_ptr<const AttentionIdentity> identity;
    const GatewayConnections* connections = nullptr;
    const ExpertLinks* links = nullptr;
    ExpertDialer* dialer = nullptr;
    const router::Transport* data_plane = nullptr;
    const service::Logger* logger = nullptr;
    // The router refused the node for good before it had ever been welcome.
    std::function<void(const absl::Status&)> on_refused = {};
  };

  RouterClient(Parts parts, const router::MembershipClient::Options& options);

  // Errors: those of MembershipClient::Start.
  absl::Status Start() { return client_.Start(); }
  void Stop() { client_.Stop(); }

  // What the node is busy with, for people; empty once it is ready.
  void SetActivity(const std::string& activity);
  void SetReady(bool ready);
  // The table of `epoch` is in use.
  void OnAdopted(uint64_t epoch);
  // Says that the node wants to go, at every router that is met from now on.
  void Leave();

 private:
  router::v1::JoinHello MakeHello() override;
  router::v1::NodeStatus MakeStatus() override;
  router::v1::LoadReport MakeLoadReport() override;
  void OnWelcome(const router::v1::Welcome& welcome) override;
  void OnPlacement(const router::v1::Placement& placement) override;
  void OnDisconnected(const absl::Status& reason, bool final) override;

  const Parts parts_;
  mutable Mutex mutex_;
  std::string activity_ ABSL_GUARDED_BY(mutex_);
  bool ready_ ABSL_GUARDED_BY(mutex_) = false;
  bool leaving_ ABSL_GUARDED_BY(mutex_) = false;
  bool welcomed_ ABSL_GUARDED_BY(mutex_) = false;  // ever
  router::v1::Placement latest_ ABSL_GUARDED_BY(mutex_);
  router::v1::Placement in_use_ ABSL_GUARDED_BY(mutex_);
  // The client's thread: what the router has been told, see
  // Dispatcher::TokensPerExpert.
  std::vector<int64_t> reported_;
  router::MembershipClient client_;  // last: its thread uses the rest
};

}  // namespace mesh::attention
