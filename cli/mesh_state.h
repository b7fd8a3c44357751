// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace mesh::cli {

enum class NodeHealth { kUnknown, kLoading, kReady, kDraining, kGone };

// A node as the router sees it. What its role does not have is 0 or empty.
struct NodeView {
  std::string name;
  std::string role;  // "gateway", "attention-node" or "expert-node"
  NodeHealth health = NodeHealth::kUnknown;
  std::string activity;  // what it does while it is not ready
  std::string grpc_address;
  std::string metrics_address;
  std::string version;
  uint32_t node_id = 0;
  double heartbeat_age_seconds = 0;
  uint64_t rss_bytes = 0;
  uint64_t adopted_epoch = 0;

  std::string lane;  // of the data plane, for example "tcp/lo"
  uint64_t bytes_sent = 0;
  uint64_t bytes_received = 0;

  uint64_t experts_placed = 0;
  uint64_t experts_held = 0;
  uint64_t experts_capacity = 0;
  uint64_t weight_bytes = 0;
  uint64_t rows_computed = 0;
  uint64_t frames_answered = 0;

  uint32_t streams_running = 0;
  uint32_t streams_waiting = 0;
  uint64_t kv_blocks_total = 0;
  uint64_t kv_blocks_free = 0;
  uint64_t emitted_tokens = 0;
  uint64_t steps = 0;
};

// Rows that chose the experts of a layer.
struct LayerLoadView {
  uint32_t layer = 0;
  std::vector<uint64_t> rows;  // [experts]
  double imbalance = 0;        // largest over mean; 0 without load
};

struct LoadView {
  std::string window;  // "1s", "10s", "5m" or "total"
  double covered_seconds = 0;
  std::vector<LayerLoadView> layers;
};

// What a router says of its mesh at one moment.
struct MeshState {
  absl::Time taken_at;
  std::string router_address;
  std::string router_metrics_address;
  std::string router_version;
  uint64_t term = 0;
  uint64_t active_epoch = 0;  // 0: no placement yet
  std::string activity;       // empty: nothing is going on
  std::string model_digest;   // hexadecimal; empty until a node has joined
  std::string numerics;
  std::vector<NodeView> nodes;
  std::vector<LoadView> load;  // empty unless asked for
};

}  // namespace mesh::cli
