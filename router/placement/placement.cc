// SPDX-License-Identifier: Apache-2.0
#include "router/placement/placement.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "core/check.h"
#include "core/status_macros.h"

namespace mesh::router {
namespace {

bool Before(const Replica& a, const Replica& b) {
  return std::pair(a.key, a.node) < std::pair(b.key, b.node);
}

absl::StatusOr<std::vector<int>> IndexLayers(std::span<const LayerId> layers) {
  std::vector<int> index;
  for (size_t i = 0; i < layers.size(); ++i) {
    const size_t layer = layers[i].value;
    if (index.size() <= layer) index.resize(layer + 1, -1);
    if (index[layer] >= 0) {
      return absl::InvalidArgumentError(
          absl::StrFormat("placement: layer %d stands twice", layer));
    }
    index[layer] = static_cast<int>(i);
  }
  return index;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Placement>> Placement::Create(
    const Options& options, std::span<const Replica> replicas) {
  if (options.num_experts <= 0) {
    return absl::InvalidArgumentError("placement: no experts");
  }
  auto layer_index = IndexLayers(options.layers);
  if (!layer_index.ok()) return layer_index.status();

  std::shared_ptr<Placement> placement(new Placement);
  placement->epoch_ = options.epoch;
  placement->num_experts_ = options.num_experts;
  placement->layer_index_ = *std::move(layer_index);

  // Step 1: sort, which also finds what stands twice.
  std::vector<Replica> sorted(replicas.begin(), replicas.end());
  std::sort(sorted.begin(), sorted.end(), Before);
  RETURN_IF_ERROR(placement->CheckReplicas(sorted));

  // Step 2: number the nodes.
  auto& nodes = placement->nodes_;
  for (const Replica& replica : sorted) nodes.push_back(replica.node);
  std::sort(nodes.begin(), nodes.end());
  nodes.erase(std::unique(nodes.begin(), nodes.end()), nodes.end());

  // Step 3: fill the table, layer by layer in the order of their index.
  for (const LayerId layer : options.layers) {
    for (int e = 0; e < options.num_experts; ++e) {
      RETURN_IF_ERROR(placement->AddExpert(
          {layer, ExpertId{static_cast<uint16_t>(e)}}, sorted));
    }
  }
  placement->offsets_.push_back(static_cast<int>(placement->ordinals_.size()));
  return std::shared_ptr<const Placement>(std::move(placement));
}

absl::Status Placement::CheckReplicas(std::span<const Replica> sorted) const {
  for (size_t i = 0; i < sorted.size(); ++i) {
    const ExpertKey& key = sorted[i].key;
    if (!HasLayer(key.layer) || key.expert.value >= num_experts_) {
      return absl::InvalidArgumentError(
          absl::StrFormat("placement: there is no expert %d in layer %d",
                          key.expert.value, key.layer.value));
    }
    if (i > 0 && !Before(sorted[i - 1], sorted[i])) {
      return absl::InvalidArgumentError(absl::StrFormat(
          "placement: node %d hosts expert %d of layer %d twice",
          sorted[i].node.value, key.expert.value, key.layer.value));
    }
  }
  return absl::OkStatus();
}

absl::Status Placement::AddExpert(const ExpertKey& key,
                                  std::span<const Replica> sorted) {
  offsets_.push_back(static_cast<int>(ordinals_.size()));
  const auto begin = std::lower_bound(
      sorted.begin(), sorted.end(), key,
      [](const Replica& a, const ExpertKey& b) { return a.key < b; });
  int count = 0;
  for (auto it = begin; it != sorted.end() && it->key == key; ++it, ++count) {
    const auto node = std::lower_bound(nodes_.begin(), nodes_.end(), it->node);
    ordinals_.push_back(static_cast<int>(node - nodes_.begin()));
  }
  if (count >= 1 && count <= kMaxReplicas) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrFormat(
      "placement: expert %d of layer %d has %d replicas, expected 1 to %d",
      key.expert.value, key.layer.value, count, kMaxReplicas));
}

bool Placement::HasLayer(LayerId layer) const {
  return layer.value < layer_index_.size() && layer_index_[layer.value] >= 0;
}

std::vector<LayerId> Placement::Layers() const {
  std::vector<LayerId> layers;
  for (size_t l = 0; l < layer_index_.size(); ++l) {
    if (layer_index_[l] >= 0) layers.push_back({static_cast<uint16_t>(l)});
  }
  return layers;
}

std::span<const int> Placement::ReplicaOrdinals(LayerId layer,
                                                ExpertId expert) const {
  MESH_DCHECK(HasLayer(layer) && expert.value < num_experts_);
  const size_t index = static_cast<size_t>(layer_index_[layer.value]) *
                           static_cast<size_t>(num_experts_) +
                       expert.value;
  return std::span(ordinals_).subspan(
      static_cast<size_t>(offsets_[index]),
      static_cast<size_t>(offsets_[index + 1] - offsets_[index]));
}

std::vector<ExpertKey> Placement::HostedBy(NodeId node) const {
  std::vector<ExpertKey> keys;
  for (size_t l = 0; l < layer_index_.size(); ++l) {
    if (layer_index_[l] < 0) continue;
    for (int e = 0; e < num_experts_; ++e) {
      const ExpertKey key{LayerId{static_cast<uint16_t>(l)},
                          ExpertId{static_cast<uint16_t>(e)}};
      for (const int ordinal : ReplicaOrdinals(key.layer, key.expert)) {
        if (nodes_[static_cast<size_t>(ordinal)] == node) keys.push_back(key);
      }
    }
  }
  return keys;
}

}  // namespace mesh::router
