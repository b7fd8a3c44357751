// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "expert-node/expert_identity.h"
#include "expert-node/expert_shard.h"
#include "expert-node/expert_stats.h"
#include "expert-node/hosting_plan.h"
#include "expert-node/hosting_runner.h"
#include "mesh/common/v1/types.pb.h"
#include "mesh/expert/v1/expert_service.pb.h"
#include "mesh/router/v1/membership_service.pb.h"

namespace mesh::expert {

common::v1::NodeInfo ToNodeInfo(const ExpertIdentity& identity,
                                uint32_t node_id);
common::v1::Handshake ToHandshake(const ExpertIdentity& identity);
common::v1::Holding ToProto(const ExpertShard::Holding& holding);
router::v1::ModelShape ToModelShape(const ExpertIdentity& identity);
router::v1::HoldingsReport ToProto(const HostingReport& report);

// Errors: kInvalidArgument for a phase or an id that there cannot be.
absl::StatusOr<HostingOrder> FromProto(const router::v1::HostingOrder& proto);

v1::WireShape ToWireShape(const router::WireLimits& wire);
// Whether frames of the two fit each other. Errors: kFailedPrecondition names
// the first difference with both values.
absl::Status CheckWireShape(const v1::WireShape& ours,
                            const v1::WireShape& theirs);

// All but node and holdings.
v1::GetStatsResponse ToProto(const ExpertStats& stats);

}  // namespace mesh::expert
