// SPDX-License-Identifier: Apache-2.0
#include "router/placement/placement_proto.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_format.h"
#include "core/check.h"
#include "core/status_macros.h"

namespace mesh::router {
namespace {

constexpr int kMaxNodes = 4096;
constexpr int kMaxLayers = 4096;
constexpr uint32_t kMaxExperts = 65535;

absl::Status CheckSizes(const v1::Placement& proto) {
  if (proto.nodes_size() < 1 || proto.nodes_size() > kMaxNodes) {
    return absl::InvalidArgumentError(
        absl::StrFormat("placement: %d nodes, expected 1 to %d",
                        proto.nodes_size(), kMaxNodes));
  }
  if (proto.layers_size() < 1 || proto.layers_size() > kMaxLayers) {
    return absl::InvalidArgumentError(
        absl::StrFormat("placement: %d layers, expected 1 to %d",
                        proto.layers_size(), kMaxLayers));
  }
  if (proto.num_experts() < 1 || proto.num_experts() > kMaxExperts) {
    return absl::InvalidArgumentError(
        absl::StrFormat("placement: %d experts a layer, expected 1 to %d",
                        proto.num_experts(), kMaxExperts));
  }
  return absl::OkStatus();
}

// Replicas of every expert, checked against the number of ordinals.
absl::StatusOr<std::vector<int>> ReplicaCounts(const v1::LayerPlacement& layer,
                                               uint32_t num_experts) {
  std::vector<int> counts(layer.replicas().begin(), layer.replicas().end());
  if (counts.empty()) counts.assign(num_experts, 1);
  int64_t total = 0;
  for (const int count : counts) {
    if (count < 0 || count > Placement::kMaxReplicas) {
      return absl::InvalidArgumentError(
          absl::StrFormat("placement: %d replicas of an expert in layer %d, "
                          "expected at most %d",
                          count, layer.layer(), Placement::kMaxReplicas));
    }
    total += count;
  }
  if (counts.size() != num_experts || total != layer.ordinals_size()) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "placement: layer %d tells %d ordinals for %d replicas of %d experts",
        layer.layer(), layer.ordinals_size(), total, counts.size()));
  }
  return counts;
}

absl::Status AppendLayer(const v1::LayerPlacement& layer,
                         const v1::Placement& proto,
                         std::vector<Replica>& replicas) {
  if (layer.layer() >= UINT16_MAX) {
    return absl::InvalidArgumentError(
        absl::StrFormat("placement: there is no layer %d", layer.layer()));
  }
  ASSIGN_OR_RETURN(const std::vector<int> counts,
                   ReplicaCounts(layer, proto.num_experts()));
  int next = 0;
  for (size_t e = 0; e < counts.size(); ++e) {
    const ExpertKey key{LayerId{static_cast<uint16_t>(layer.layer())},
                        ExpertId{static_cast<uint16_t>(e)}};
    for (int r = 0; r < counts[e]; ++r) {
      const uint32_t ordinal = layer.ordinals(next++);
      if (ordinal >= static_cast<uint32_t>(proto.nodes_size())) {
        return absl::InvalidArgumentError(absl::StrFormat(
            "placement: ordinal %d of %d nodes", ordinal, proto.nodes_size()));
      }
      replicas.push_back(
          {key, NodeId{proto.nodes(static_cast<int>(ordinal)).node_id()}});
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<common::v1::NodeInfo>> SortedNodes(
    const v1::Placement& proto, const Placement& placement) {
  std::vector<common::v1::NodeInfo> nodes(proto.nodes().begin(),
                                          proto.nodes().end());
  std::sort(nodes.begin(), nodes.end(), [](const auto& a, const auto& b) {
    return a.node_id() < b.node_id();
  });
  for (size_t i = 1; i < nodes.size(); ++i) {
    if (nodes[i].node_id() == nodes[i - 1].node_id()) {
      return absl::InvalidArgumentError(absl::StrFormat(
          "placement: node id %d stands twice", nodes[i].node_id()));
    }
  }
  // Ids differ, and those of the table are among them.
  if (nodes.size() != placement.Nodes().size()) {
    return absl::InvalidArgumentError(
        "placement: a node of the table hosts nothing");
  }
  return nodes;
}

void AddLayer(const Placement& placement, LayerId layer, v1::Placement& proto) {
  v1::LayerPlacement& out = *proto.add_layers();
  out.set_layer(layer.value);
  bool one_each = true;
  for (int e = 0; e < placement.NumExperts(); ++e) {
    const auto ordinals =
        placement.ReplicaOrdinals(layer, ExpertId{static_cast<uint16_t>(e)});
    out.add_replicas(static_cast<uint32_t>(ordinals.size()));
    one_each = one_each && ordinals.size() == 1;
    for (const int ordinal : ordinals) {
      out.add_ordinals(static_cast<uint32_t>(ordinal));
    }
  }
  if (one_each) out.clear_replicas();
}

}  // namespace

v1::Placement ToProto(const Placement& placement,
                      const std::vector<common::v1::NodeInfo>& nodes) {
  absl::flat_hash_map<uint32_t, const common::v1::NodeInfo*> by_id;
  for (const auto& node : nodes) by_id[node.node_id()] = &node;

  v1::Placement proto;
  proto.set_epoch(placement.Epoch());
  proto.set_num_experts(static_cast<uint32_t>(placement.NumExperts()));
  for (const NodeId node : placement.Nodes()) {
    const auto it = by_id.find(node.value);
    MESH_CHECK(it != by_id.end());
    *proto.add_nodes() = *it->second;
  }
  for (const LayerId layer : placement.Layers()) {
    AddLayer(placement, layer, proto);
  }
  return proto;
}

absl::StatusOr<PlacementTable> FromProto(const v1::Placement& proto) {
  RETURN_IF_ERROR(CheckSizes(proto));
  Placement::Options options{
      .epoch = proto.epoch(),
      .num_experts = static_cast<int>(proto.num_experts())};
  std::vector<Replica> replicas;
  for (const auto& layer : proto.layers()) {
    RETURN_IF_ERROR(AppendLayer(layer, proto, replicas));
    options.layers.push_back(LayerId{static_cast<uint16_t>(layer.layer())});
  }
  PlacementTable table;
  ASSIGN_OR_RETURN(table.placement, Placement::Create(options, replicas));
  ASSIGN_OR_RETURN(table.nodes, SortedNodes(proto, *table.placement));
  return table;
}

}  // namespace mesh::router
