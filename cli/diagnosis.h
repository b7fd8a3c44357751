// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cli/certificate.h"
#include "cli/gateway_client.h"
#include "cli/mesh_state.h"
#include "cli/node_client.h"
#include "cli/placement_view.h"

namespace mesh::cli {

// All that `doctor` has asked for. Maps are by node name.
struct Facts {
  absl::Time now;
  MeshState mesh;
  PlacementView placement;  // empty if there is none
  absl::btree_map<std::string, ExpertNodeReply> expert_nodes;
  absl::btree_map<std::string, AttentionNodeReply> attention_nodes;
  absl::StatusOr<ServedModel> gateway;
  std::vector<absl::StatusOr<CertificateView>> certificates;
  uint64_t max_descriptors = 0;  // the hard limit here
  uint64_t available_memory_bytes = 0;
};

struct Finding {
  std::string wrong;   // what is wrong
  std::string remedy;  // what to do
};

// Pure: the same facts give the same findings, the gravest kind first.
std::vector<Finding> Diagnose(const Facts& facts);

// Tables of what was found out, for people.
std::string FactsText(const Facts& facts);

}  // namespace mesh::cli
