// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/mutex.h"
#include "expert-node/expert_identity.h"
#include "expert-node/expert_shard.h"
#include "expert-node/expert_stats.h"
#include "expert-node/hosting_runner.h"
#include "expert-node/placement_follower.h"
#include "router/client/membership_client.h"
#include "service/logger.h"

namespace mesh::expert {

// An expert node's side of its membership: says what it is and holds, passes on
// orders, leaves. Thread-safe.
class RouterClient final : private router::MembershipClient::Delegate {
 public:
  struct Parts {
    std::shared_ptr<const ExpertIdentity> identity;
    const ExpertShard* shard = nullptr;
    PlacementFollower* follower = nullptr;
    std::function<ExpertStats()> stats;
    std::atomic<uint32_t>* node_id = nullptr;  // set at every welcome
    // The router refused the node for good before it had ever been welcome.
    std::function<void(const absl::Status&)> on_refused;
    const service::Logger* logger = nullptr;
  };

  // What `parts` point to outlives the client.
  RouterClient(Parts parts, const router::MembershipClient::Options& options);

  // Errors: those of MembershipClient::Start.
  absl::Status Start() { return client_.Start(); }
  void Stop() { client_.Stop(); }

  void Report(const HostingReport& report);

  // Asks to go, at every router that is met from now on. Returns true once
  // nobody needs the node: the router said so, or no link is open while the
  // router is away, or for two seconds while it is not (the last node of a mesh
  // without attention nodes is never released); false when `limit` is over
  // first.
  bool Leave(absl::Duration limit);

 private:
  router::v1::JoinHello MakeHello() override;
  router::v1::NodeStatus MakeStatus() override;
  void OnWelcome(const router::v1::Welcome& welcome) override;
  void OnHosting(const router::v1::HostingOrder& order) override;
  void OnReleased() override;
  void OnDisconnected(const absl::Status& reason, bool final) override;

  void SendLeaving();
  void Refuse(const router::v1::HostingOrder& order,
              const absl::Status& reason);

  const Parts parts_;
  mutable Mutex mutex_;
  CondVar changed_;
  bool welcomed_ ABSL_GUARDED_BY(mutex_) = false;  // ever
  bool joined_ ABSL_GUARDED_BY(mutex_) = false;    // now
  bool leaving_ ABSL_GUARDED_BY(mutex_) = false;
  bool released_ ABSL_GUARDED_BY(mutex_) = false;
  router::MembershipClient client_;  // last: its thread uses the rest
};

}  // namespace mesh::expert
