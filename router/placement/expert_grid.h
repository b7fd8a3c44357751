// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "core/check.h"
#include "router/placement/placement.h"

namespace mesh::router {

// Numbers every routed expert of a model: index = layer index * num_experts +
// expert, layers ascending. Immutable.
class ExpertGrid {
 public:
  ExpertGrid() = default;
  // REQUIRES: layers ascending, num_experts positive.
  ExpertGrid(std::vector<LayerId> layers, int num_experts)
      : layers_(std::move(layers)),
        num_experts_(static_cast<size_t>(num_experts)) {}

  const std::vector<LayerId>& Layers() const { return layers_; }
  size_t NumExperts() const { return num_experts_; }  // of a layer
  size_t Size() const { return layers_.size() * num_experts_; }

  // Nothing for a layer or expert that is not in the model.
  std::optional<size_t> IndexOf(const ExpertKey& key) const {
    const auto it = std::lower_bound(layers_.begin(), layers_.end(), key.layer);
    if (it == layers_.end() || *it != key.layer ||
        key.expert.value >= num_experts_) {
      return std::nullopt;
    }
    return static_cast<size_t>(it - layers_.begin()) * num_experts_ +
           key.expert.value;
  }
  // REQUIRES: index < Size().
  ExpertKey KeyOf(size_t index) const {
    MESH_DCHECK(index < Size());
    return {layers_[index / num_experts_],
            ExpertId{static_cast<uint16_t>(index % num_experts_)}};
  }

 private:
  std::vector<LayerId> layers_;
  size_t num_experts_ = 0;
};

// A set of experts, one bit for each index of a grid.
using ExpertSet = std::vector<bool>;

inline size_t CountOf(const ExpertSet& set) {
  return static_cast<size_t>(std::count(set.begin(), set.end(), true));
}

}  // namespace mesh::router
