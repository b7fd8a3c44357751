// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "absl/status/statusor.h"
#include "mesh/router/v1/placement_service.pb.h"
#include "router/control/load_monitor.h"

namespace mesh::router {

// Errors: kInvalidArgument.
absl::StatusOr<LoadSpan> FromProto(v1::LoadWindow window);
v1::ExpertLoadTable ToProto(const LoadMonitor::Table& table);

}  // namespace mesh::router
