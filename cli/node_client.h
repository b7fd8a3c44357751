// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/status/status.h"
#include "cli/expert_name.h"
#include "cli/mesh_target.h"

namespace mesh::cli {

// What an expert node says of itself.
struct ExpertNodeReply {
  absl::Status outcome;                              // why the rest is empty
  absl::btree_map<ExpertName, std::string> digests;  // of what it holds
  uint64_t frames_corrupt = 0;
  uint64_t hellos_rejected = 0;
};

// A link between an attention node and an expert node, measured.
struct LinkProbeView {
  std::string to;
  std::string lane;
  double median_us = 0;  // round trip of a small message
  double p99_us = 0;
  double bytes_per_second = 0;
  std::string error;  // empty if it went well
};

// What an attention node says of its links.
struct AttentionNodeReply {
  absl::Status outcome;  // why the rest is empty
  std::vector<LinkProbeView> probes;
};

// Each takes seconds at most.
ExpertNodeReply AskExpertNode(const MeshTarget& node);
AttentionNodeReply AskAttentionNode(const MeshTarget& node);

}  // namespace mesh::cli
