// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "gateway/attention_pool.h"
#include "mesh/common/v1/types.pb.h"
#include "router/client/membership_client.h"
#include "service/logger.h"

namespace mesh::gateway {

// The gateway's membership: tells the router how it is, and hears where
// attention nodes are. Calls the pool on the membership's own thread.
class RouterClient final : private router::MembershipClient::Delegate {
 public:
  struct Options {
    router::MembershipClient::Options membership;
    common::v1::NodeInfo self;
    std::function<bool()> is_ready;
    std::function<bool()> is_draining;
  };

  // `pool` and `logger` outlive the client.
  RouterClient(const Options& options, AttentionPool& pool,
               const service::Logger& logger);

  // Errors: those of service::MakeChannel.
  absl::Status Start() { return membership_.Start(); }
  // Leaves the mesh. Idempotent.
  void Stop() { membership_.Stop(); }

 private:
  router::v1::JoinHello MakeHello() override;
  router::v1::NodeStatus MakeStatus() override;
  void OnAttentionNodes(const router::v1::AttentionNodes& nodes) override;
  void OnWelcome(const router::v1::Welcome& welcome) override;
  void OnDisconnected(const absl::Status& reason, bool final) override;

  const Options options_;
  AttentionPool& pool_;
  const service::Logger& logger_;
  std::string last_problem_;  // logged once; the membership's thread
  router::MembershipClient membership_;
};

}  // namespace mesh::gateway
