// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/ids.h"

namespace mesh::router {

// One logical expert of one layer.
struct ExpertKey {
  LayerId layer;
  ExpertId expert;

  friend auto operator<=>(const ExpertKey&, const ExpertKey&) = default;
  template <typename H>
  friend H AbslHashValue(H state, const ExpertKey& key) {
    return H::combine(std::move(state), key.layer, key.expert);
  }
};

// A node that hosts an expert.
struct Replica {
  ExpertKey key;
  NodeId node;
};

// Which nodes host which expert, under one epoch. Immutable; shared between
// threads as std::shared_ptr<const Placement>.
class Placement {
 public:
  static constexpr int kMaxReplicas = 32;  // of one expert

  struct Options {
    uint64_t epoch = 0;
    std::vector<LayerId> layers = {};  // the MoE layers
    int num_experts = 0;               // routed experts of a layer
  };

  // Errors: kInvalidArgument if an expert of a layer has no replica or more
  // than kMaxReplicas, if a replica stands twice, or if it names a layer or
  // expert that `options` does not.
  static absl::StatusOr<std::shared_ptr<const Placement>> Create(
      const Options& options, std::span<const Replica> replicas);

  uint64_t Epoch() const { return epoch_; }
  int NumExperts() const { return num_experts_; }
  bool HasLayer(LayerId layer) const;
  std::vector<LayerId> Layers() const;  // ascending

  // Every node of the table, ascending. An *ordinal* is an index into it.
  std::span<const NodeId> Nodes() const { return nodes_; }

  // Ordinals of the nodes that host the expert, ascending, never empty.
  // REQUIRES: HasLayer(layer) and expert < NumExperts().
  std::span<const int> ReplicaOrdinals(LayerId layer, ExpertId expert) const;

  // What `node` hosts, ascending; empty for a node that is not in the table.
  std::vector<ExpertKey> HostedBy(NodeId node) const;

 private:
  Placement() = default;

  absl::Status CheckReplicas(std::span<const Replica> sorted) const;
  absl::Status AddExpert(const ExpertKey& key, std::span<const Replica> sorted);

  uint64_t epoch_ = 0;
  int num_experts_ = 0;
  std::vector<NodeId> nodes_;
  std::vector<int> layer_index_;  // by layer id; -1 if it is not an MoE layer
  // Replicas of expert e of the i-th layer are
  // ordinals_[offsets_[i * num_experts_ + e] .. the next offset).
  std::vector<int> offsets_;
  std::vector<int> ordinals_;
};

}  // namespace mesh::router
