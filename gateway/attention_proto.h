// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "gateway/attention_messages.h"
#include "mesh/attention/v1/attention_service.pb.h"

namespace mesh::gateway {

// The attention service's protos from and to plain values.

attention::v1::Submit ToProto(const Submission& submission);

// Errors: kInvalidArgument for what no attention node sends.
absl::StatusOr<NodeHello> FromProto(const attention::v1::AttentionHello& hello);

NodeLoad FromProto(const attention::v1::EngineLoad& load);
StepResults FromProto(const attention::v1::StepResults& step);
Refusal FromProto(const attention::v1::Refused& refused);

}  // namespace mesh::gateway
