// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/digest.h"
#include "core/ids.h"
#include "router/placement/placement.h"
#include "service/role.h"

// What nodes and the controller say to each other, checked and free of
// protobuf. The fields mean what mesh/router/v1/membership_service.proto says.
namespace mesh::router {

// One join stream; 0 is none. Never used twice.
using ConnectionId = StrongId<struct ConnectionTag, uint64_t>;

struct NodeIdentity {
  std::string name;
  service::Role role = service::Role::kGateway;
  uint64_t incarnation = 0;
  std::string grpc_address;
  std::string metrics_address;
  std::string version;
  NodeId id;  // 0: none yet

  friend bool operator==(const NodeIdentity&, const NodeIdentity&) = default;
};

struct ModelShape {
  std::vector<LayerId> moe_layers;  // ascending
  int num_experts = 0;
  int num_groups = 1;
  uint64_t expert_bytes = 0;
};

struct Holding {
  ExpertKey key;
  Digest digest;
};

// A placement and how its nodes are reached, in the order of Nodes().
struct ReachablePlacement {
  std::shared_ptr<const Placement> placement;
  std::vector<NodeIdentity> nodes;
};

struct Hello {
  NodeIdentity node;
  std::optional<Digest> model_digest;
  std::string numerics_class;
  std::vector<Holding> holdings;
  uint64_t capacity_experts = 0;
  std::optional<ReachablePlacement> placement;
  std::optional<ModelShape> model;
  uint64_t seen_term = 0;
};

struct MemberStatus {
  bool ready = false;
  bool draining = false;
  std::string activity;
  uint64_t experts_held = 0;
};

enum class HostingPhase { kLoad, kRetire };

struct HoldingsReport {
  uint64_t order_epoch = 0;
  HostingPhase phase = HostingPhase::kLoad;
  std::vector<Holding> holdings;
  std::string error;
};

struct ExpertTokens {
  ExpertKey key;
  uint64_t tokens_total = 0;
};

struct WelcomeMessage {
  NodeId id;
  uint64_t term = 0;
};

struct HostingOrder {
  uint64_t epoch = 0;
  HostingPhase phase = HostingPhase::kLoad;
  std::vector<ExpertKey> experts;  // to be loaded in this order
};

}  // namespace mesh::router
