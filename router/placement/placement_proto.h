// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "mesh/common/v1/types.pb.h"
#include "mesh/router/v1/placement.pb.h"
#include "router/placement/placement.h"

namespace mesh::router {

// A placement as it travels: the table, and how its nodes are reached.
struct PlacementTable {
  std::shared_ptr<const Placement> placement;
  // In the order of placement->Nodes(), by ordinal.
  std::vector<mesh::common::v1::NodeInfo> nodes;
};

// `nodes` holds every node of the table, in any order; others are left out.
v1::Placement ToProto(const Placement& placement,
                      const std::vector<mesh::common::v1::NodeInfo>& nodes);

// Checks sizes before it allocates. Errors: kInvalidArgument for a count,
// ordinal or layer out of range, for two nodes of one id, for a node that hosts
// nothing, and those of Placement::Create (an expert without a replica).
absl::StatusOr<PlacementTable> FromProto(const v1::Placement& proto);

}  // namespace mesh::router
