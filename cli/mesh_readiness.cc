// SPDX-License-Identifier: Apache-2.0
#include "cli/mesh_readiness.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace mesh::cli {

std::string WhatIsMissing(const MeshState& state, int num_nodes) {
  int num_ready = 0;
  int num_alive = 0;
  std::string loading;
  bool gateway = false;
  bool attention = false;
  bool expert = false;
  for (const NodeView& node : state.nodes) {
    if (node.health == NodeHealth::kGone) continue;
    ++num_alive;
    if (node.health == NodeHealth::kReady) {
      ++num_ready;
      gateway = gateway || node.role == "gateway";
      attention = attention || node.role == "attention-node";
      expert = expert || node.role == "expert-node";
    } else if (node.health == NodeHealth::kLoading) {
      absl::StrAppend(&loading, loading.empty() ? "" : "; ", node.name, " ",
                      node.activity.empty() ? "is starting" : node.activity);
    }
  }
  if (num_ready < num_nodes || !loading.empty()) {
    return absl::StrCat(num_ready, " of ", std::max(num_nodes, num_alive),
                        " nodes are ready", loading.empty() ? "" : ": ",
                        loading);
  }
  if (state.active_epoch == 0) {
    return absl::StrCat("no placement is active yet",
                        state.activity.empty() ? "" : ": ", state.activity);
  }
  if (!expert) return "no expert node is ready";
  if (!attention) return "no attention node is ready";
  if (!gateway) return "no gateway is ready";
  return "";
}

}  // namespace mesh::cli
