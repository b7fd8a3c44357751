// SPDX-License-Identifier: Apache-2.0
#include "gateway/attention_proto.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "core/status_macros.h"
#include "service/handshake_proto.h"

namespace mesh::gateway {
namespace {

namespace attn = mesh::attention::v1;

constexpr absl::Duration kLeastHeartbeatInterval = absl::Milliseconds(20);

int ClampToInt(uint32_t value) {
  return static_cast<int>(
      std::min<uint32_t>(value, std::numeric_limits<int>::max()));
}

attn::Sampling ToProto(const Sampling& sampling) {
  attn::Sampling proto;
  proto.set_temperature(sampling.temperature);
  proto.set_top_p(sampling.top_p);
  proto.set_top_k(sampling.top_k);
  proto.set_min_p(sampling.min_p);
  proto.set_presence_penalty(sampling.presence_penalty);
  proto.set_frequency_penalty(sampling.frequency_penalty);
  proto.set_repetition_penalty(sampling.repetition_penalty);
  proto.set_seed(sampling.seed);
  for (const auto& [token, bias] : sampling.logit_bias) {
    attn::LogitBias* added = proto.add_logit_bias();
    added->set_token(token);
    added->set_bias(bias);
  }
  proto.set_num_logprobs(sampling.num_logprobs);
  proto.set_prompt_logprobs(sampling.prompt_logprobs);
  proto.set_max_tokens(sampling.max_tokens);
  proto.mutable_stop_token_ids()->Add(sampling.stop_token_ids.begin(),
                                      sampling.stop_token_ids.end());
  proto.set_ignore_eos(sampling.ignore_eos);
  return proto;
}

// Of an error that a peer tells; never OK.
absl::Status ErrorOf(int code, const std::string& message) {
  if (code < 1 || code > 16) return absl::UnknownError(message);
  return absl::Status(static_cast<absl::StatusCode>(code), message);
}

Finished FromProto(const attn::Finished& finished) {
  switch (finished.reason()) {
    case attn::FINISH_REASON_STOP:
      return {FinishReason::kStop, absl::OkStatus()};
    case attn::FINISH_REASON_LENGTH:
      return {FinishReason::kLength, absl::OkStatus()};
    case attn::FINISH_REASON_CANCELLED:
      return {FinishReason::kCancelled, absl::OkStatus()};
    case attn::FINISH_REASON_DEADLINE:
      return {FinishReason::kDeadline, absl::OkStatus()};
    default:
      return {FinishReason::kFailed,
              ErrorOf(finished.code(), finished.message())};
  }
}

template <typename From>
std::vector<TokenLogprob> TopOf(const From& from) {
  std::vector<TokenLogprob> top;
  top.reserve(static_cast<size_t>(from.top_size()));
  for (const attn::TokenLogprob& entry : from.top()) {
    top.push_back({entry.token(), entry.logprob()});
  }
  return top;
}

StreamResult FromProto(const attn::StreamResult& proto) {
  StreamResult result{.request = RequestId{proto.request()},
                      .attempt = proto.attempt()};
  result.prompt_logprobs.reserve(
      static_cast<size_t>(proto.prompt_logprobs_size()));
  for (const attn::PromptLogprob& logprob : proto.prompt_logprobs()) {
    result.prompt_logprobs.push_back({ClampToInt(logprob.position()),
                                      logprob.token(), logprob.logprob(),
                                      TopOf(logprob)});
  }
  result.tokens.reserve(static_cast<size_t>(proto.tokens_size()));
  for (const attn::Token& token : proto.tokens()) {
    result.tokens.push_back({ClampToInt(token.index()), token.token(),
                             token.logprob(), TopOf(token)});
  }
  result.num_cached_tokens = ClampToInt(proto.cached_tokens());
  if (proto.has_finished()) result.finished = FromProto(proto.finished());
  return result;
}

}  // namespace

attn::Submit ToProto(const Submission& submission) {
  attn::Submit proto;
  proto.set_request(submission.request.value);
  proto.set_attempt(submission.attempt);
  proto.mutable_prompt()->Add(submission.prompt.begin(),
                              submission.prompt.end());
  *proto.mutable_sampling() = ToProto(submission.sampling);
  proto.set_routing_table_version(submission.identity.routing_table);
  proto.set_numerics_class(submission.identity.numerics);
  proto.set_model_digest(service::DigestBytes(submission.identity.model));
  proto.mutable_emitted()->Add(submission.emitted.begin(),
                               submission.emitted.end());
  proto.set_timeout_ms(static_cast<uint64_t>(
      std::max<int64_t>(absl::ToInt64Milliseconds(submission.timeout), 1)));
  proto.set_priority(static_cast<uint32_t>(submission.priority));
  proto.set_request_id(submission.request_id);
  proto.set_cache_salt(submission.cache_salt);
  return proto;
}

absl::StatusOr<NodeHello> FromProto(const attn::AttentionHello& proto) {
  NodeHello hello;
  hello.name = proto.node().name();
  ASSIGN_OR_RETURN(hello.model,
                   service::ParseDigestBytes(proto.handshake().model_digest()));
  hello.numerics = proto.handshake().numerics_class();
  hello.vocab_size = ClampToInt(proto.vocab_size());
  hello.max_positions = ClampToInt(proto.max_positions());
  hello.routing_tables.assign(proto.routing_table_versions().begin(),
                              proto.routing_table_versions().end());
  hello.heartbeat_interval =
      std::max(absl::Milliseconds(proto.heartbeat_interval_ms()),
               kLeastHeartbeatInterval);
  hello.max_streams = ClampToInt(proto.max_streams());
  if (hello.routing_tables.empty() || hello.max_positions == 0 ||
      hello.max_streams == 0) {
    return absl::InvalidArgumentError(
        "an attention node's hello names no routing table, no context or no "
        "streams");
  }
  return hello;
}

NodeLoad FromProto(const attn::EngineLoad& load) {
  return {.streams_running = ClampToInt(load.streams_running()),
          .streams_waiting = ClampToInt(load.streams_waiting()),
          .kv_blocks_free = load.kv_blocks_free(),
          .kv_blocks_total = load.kv_blocks_total(),
          .draining = load.draining()};
}

StepResults FromProto(const attn::StepResults& step) {
  StepResults results{.streams = {}, .load = FromProto(step.load())};
  results.streams.reserve(static_cast<size_t>(step.streams_size()));
  for (const attn::StreamResult& stream : step.streams()) {
    results.streams.push_back(FromProto(stream));
  }
  return results;
}

Refusal FromProto(const attn::Refused& refused) {
  return {.request = RequestId{refused.request()},
          .attempt = refused.attempt(),
          .status = ErrorOf(refused.code(), refused.message())};
}

}  // namespace mesh::gateway
