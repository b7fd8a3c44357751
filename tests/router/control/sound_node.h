// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "router/client/membership_client.h"
#include "router/placement/placement.h"
#include "tests/router/client/watched.h"
#include "tests/router/control/sound_hello.h"

namespace mesh::router {

// A node that does what the router asks, at once: expert nodes load and free,
// attention nodes adopt. Thread-safe.
class SoundNode final : public MembershipClient::Delegate {
 public:
  // What it has heard and done.
  struct Account {
    int welcomes = 0;
    uint32_t node_id = 0;
    int placements = 0;  // heard
    v1::Placement placement;
    std::set<ExpertKey> held;
    int loaded = 0;
    bool released = false;
  };

  // Joins. `logger` outlives the node.
  SoundNode(common::v1::Role role, const std::string& name,
            const std::string& router, const service::Logger& logger,
            const service::TlsOptions& tls = {});
  ~SoundNode() override { client_.Stop(); }

  Account Look();
  bool Await(const std::function<bool(const Account&)>& condition) {
    return watched_.Await([&] { return condition(account_); });
  }
  // Whether a table comes that names so many nodes, and is higher than `epoch`.
  bool AwaitPlacement(int num_nodes, uint64_t epoch = 0);
  void Leave();

 private:
  v1::JoinHello MakeHello() override;
  v1::NodeStatus MakeStatus() override;
  void OnWelcome(const v1::Welcome& welcome) override;
  void OnPlacement(const v1::Placement& placement) override;
  void OnHosting(const v1::HostingOrder& order) override;
  void OnReleased() override;

  const v1::JoinHello hello_;
  Watched watched_;
  Account account_;
  MembershipClient client_;
};

}  // namespace mesh::router
