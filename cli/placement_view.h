// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "cli/expert_name.h"

namespace mesh::cli {

// What the active placement gives to each node, by name.
struct PlacementView {
  uint64_t epoch = 0;
  absl::btree_map<std::string, absl::btree_set<ExpertName>> experts;
};

}  // namespace mesh::cli
