// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "absl/status/statusor.h"
#include "attention-node/gateway_connection.h"
#include "attention-node/gateway_connections.h"
#include "attention-node/stream_results.h"
#include "mesh/attention/v1/attention_service.pb.h"

namespace mesh::attention {

// What gateways send, as the engine has it. Ranges are the engine's to check.
StreamKey KeyOf(const v1::Submit& submit);
StreamKey KeyOf(const v1::CancelStream& cancel);
// Errors: kInvalidArgument for a digest that is none.
absl::StatusOr<GatewayConnection::Request> FromProto(const v1::Submit& submit);

// What goes back.
v1::EngineLoad ToProto(const GatewayConnections::Load& load);
v1::StepResults ToProto(const StepResults& results);
v1::Refused ToProto(const Refusal& refusal);

}  // namespace mesh::attention
