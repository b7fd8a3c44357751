// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "absl/time/time.h"
#include "cli/mesh_state.h"

namespace mesh::cli {

inline NodeView MakeNode(const std::string& name, const std::string& role,
                         NodeHealth health = NodeHealth::kReady) {
  NodeView node;
  node.name = name;
  node.role = role;
  node.health = health;
  node.version = "0.1.0";
  node.grpc_address = "127.0.0.1:1";
  node.heartbeat_age_seconds = 0.25;
  return node;
}

// A gateway, an attention node and two expert nodes at work under epoch 1.2.
inline MeshState MakeMesh() {
  constexpr uint64_t kEpoch = (uint64_t{1} << 32) | 2;
  MeshState mesh;
  mesh.taken_at = absl::FromUnixSeconds(1000);
  mesh.router_address = "127.0.0.1:9401";
  mesh.router_version = "0.1.0";
  mesh.term = 1;
  mesh.active_epoch = kEpoch;
  mesh.model_digest = "00112233445566778899aabbccddeeff";
  mesh.numerics = "bf16-1";
  mesh.nodes.push_back(MakeNode("gateway-0", "gateway"));

  NodeView attention = MakeNode("attention-0", "attention-node");
  attention.adopted_epoch = kEpoch;
  attention.lane = "tcp/lo";
  attention.rss_bytes = uint64_t{300} << 20;
  attention.streams_running = 3;
  attention.streams_waiting = 1;
  attention.kv_blocks_total = 64;
  attention.kv_blocks_free = 44;
  attention.emitted_tokens = 500;
  mesh.nodes.push_back(attention);

  for (const char* name : {"expert-0", "expert-1"}) {
    NodeView expert = MakeNode(name, "expert-node");
    expert.adopted_epoch = kEpoch;
    expert.lane = "tcp/lo";
    expert.experts_placed = 128;
    expert.experts_held = 128;
    expert.experts_capacity = 4096;
    expert.rows_computed = 7000;
    mesh.nodes.push_back(expert);
  }
  return mesh;
}

}  // namespace mesh::cli
