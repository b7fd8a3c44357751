// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gateway/answer_stream.h"
#include "gateway/attention_messages.h"
#include "gateway/generation_request.h"
#include "mesh/gateway/v1/inference_service.pb.h"

namespace mesh::gateway {

// The gateway's own protos from and to plain values. Nothing is checked here.
GenerateInput FromProto(const v1::GenerateRequest& request);
Messages FromProto(const v1::Messages& messages);

v1::Delta ToProto(const AnswerDelta& delta);
v1::FinishReason ToProto(FinishReason reason);

}  // namespace mesh::gateway
