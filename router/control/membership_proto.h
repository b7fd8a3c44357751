// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "mesh/common/v1/types.pb.h"
#include "mesh/router/v1/membership_service.pb.h"
#include "mesh/router/v1/placement.pb.h"
#include "router/control/messages.h"

namespace mesh::router {

// The door of the control plane: what comes in is checked here, field by field.
// Errors: kInvalidArgument names the field; kFailedPrecondition for another
// protocol.
absl::StatusOr<Hello> FromProto(const v1::JoinHello& proto);
absl::StatusOr<HoldingsReport> FromProto(const v1::HoldingsReport& proto);
absl::StatusOr<std::vector<ExpertTokens>> FromProto(
    const v1::LoadReport& proto);
MemberStatus FromProto(const v1::NodeStatus& proto);

common::v1::NodeInfo ToProto(const NodeIdentity& node);
v1::Placement ToProto(const ReachablePlacement& table);
v1::HostingOrder ToProto(const HostingOrder& order);
v1::AttentionNodes ToProto(const std::vector<NodeIdentity>& nodes);

}  // namespace mesh::router
