// SPDX-License-Identifier: Apache-2.0
#include "attention-node/transcript_proto.h"

#include <string>
#include <utility>
#include <vector>

#include "core/status_macros.h"
#include "service/handshake_proto.h"

namespace mesh::attention {
namespace {

SamplingParams FromProto(const v1::Sampling& proto) {
  SamplingParams params{.temperature = proto.temperature(),
                        .top_p = proto.top_p(),
                        .top_k = proto.top_k(),
                        .min_p = proto.min_p(),
                        .presence_penalty = proto.presence_penalty(),
                        .frequency_penalty = proto.frequency_penalty(),
                        .repetition_penalty = proto.repetition_penalty(),
                        .seed = proto.seed(),
                        .num_logprobs = proto.num_logprobs(),
                        .prompt_logprobs = proto.prompt_logprobs(),
                        .max_tokens = proto.max_tokens(),
                        .stop_token_ids = {proto.stop_token_ids().begin(),
                                           proto.stop_token_ids().end()},
                        .ignore_eos = proto.ignore_eos()};
  for (const v1::LogitBias& bias : proto.logit_bias()) {
    params.logit_bias.emplace_back(bias.token(), bias.bias());
  }
  return params;
}

v1::FinishReason ToProto(FinishReason reason) {
  switch (reason) {
    case FinishReason::kStop:
      return v1::FINISH_REASON_STOP;
    case FinishReason::kLength:
      return v1::FINISH_REASON_LENGTH;
    case FinishReason::kCancelled:
      return v1::FINISH_REASON_CANCELLED;
    case FinishReason::kDeadline:
      return v1::FINISH_REASON_DEADLINE;
    case FinishReason::kFailed:
      break;
  }
  return v1::FINISH_REASON_FAILED;
}

// Fills `token`, `logprob` and `top` of either kind of entry.
template <typename Entry, typename Proto>
void FillLogprobs(const Entry& entry, Proto* proto) {
  proto->set_token(entry.token);
  proto->set_logprob(entry.logprob);
  for (const TokenLogprob& top : entry.top) {
    v1::TokenLogprob* const one = proto->add_top();
    one->set_token(top.token);
    one->set_logprob(top.logprob);
  }
}

template <typename Proto>
void FillKey(const StreamKey& key, Proto* proto) {
  proto->set_request(key.request.value);
  proto->set_choice(key.choice);
  proto->set_attempt(key.attempt);
}

void FillResult(const StreamResult& result, v1::StreamResult* proto) {
  FillKey(result.key, proto);
  proto->set_cached_tokens(static_cast<uint32_t>(result.num_cached_tokens));
  for (const PromptLogprob& logprob : result.prompt_logprobs) {
    v1::PromptLogprob* const one = proto->add_prompt_logprobs();
    one->set_position(static_cast<uint32_t>(logprob.position));
    FillLogprobs(logprob, one);
  }
  for (const EmittedToken& token : result.tokens) {
    v1::Token* const one = proto->add_tokens();
    one->set_index(static_cast<uint32_t>(token.index));
    FillLogprobs(token, one);
  }
  if (!result.end.has_value()) return;
  v1::Finished* const finished = proto->mutable_finished();
  finished->set_reason(ToProto(result.end->reason));
  finished->set_code(static_cast<int32_t>(result.end->status.code()));
  finished->set_message(std::string(result.end->status.message()));
}

}  // namespace

StreamKey KeyOf(const v1::Submit& submit) {
  return {RequestId{submit.request()}, submit.choice(), submit.attempt()};
}

StreamKey KeyOf(const v1::CancelStream& cancel) {
  return {RequestId{cancel.request()}, cancel.choice(), cancel.attempt()};
}

absl::StatusOr<GatewayConnection::Request> FromProto(const v1::Submit& submit) {
  GatewayConnection::Request request;
  request.transcript = {
      .request = RequestId{submit.request()},
      .choice = submit.choice(),
      .prompt = {submit.prompt().begin(), submit.prompt().end()},
      .cache_salt = submit.cache_salt(),
      .sampling = FromProto(submit.sampling()),
      .routing_table_version = submit.routing_table_version(),
      .numerics = submit.numerics_class(),
      .emitted = {submit.emitted().begin(), submit.emitted().end()}};
  ASSIGN_OR_RETURN(request.transcript.model,
                   service::ParseDigestBytes(submit.model_digest()));
  request.attempt = submit.attempt();
  request.priority = static_cast<int>(submit.priority());
  if (submit.timeout_ms() != 0) {
    request.timeout =
        absl::Milliseconds(static_cast<double>(submit.timeout_ms()));
  }
  return request;
}

v1::EngineLoad ToProto(const GatewayConnections::Load& load) {
  v1::EngineLoad proto;
  proto.set_streams_running(static_cast<uint32_t>(load.counters.running));
  proto.set_streams_waiting(static_cast<uint32_t>(load.counters.waiting));
  proto.set_kv_blocks_free(static_cast<uint64_t>(load.counters.free_blocks));
  proto.set_kv_blocks_total(static_cast<uint64_t>(load.counters.total_blocks));
  proto.set_draining(load.draining);
  return proto;
}

v1::StepResults ToProto(const StepResults& results) {
  v1::StepResults proto;
  proto.set_step(static_cast<uint64_t>(results.step));
  for (const StreamResult& result : results.streams) {
    FillResult(result, proto.add_streams());
  }
  return proto;
}

v1::Refused ToProto(const Refusal& refusal) {
  v1::Refused proto;
  FillKey(refusal.key, &proto);
  proto.set_code(static_cast<int32_t>(refusal.status.code()));
  proto.set_message(std::string(refusal.status.message()));
  return proto;
}

}  // namespace mesh::attention
