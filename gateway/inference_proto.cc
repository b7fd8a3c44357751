// SPDX-License-Identifier: Apache-2.0
#include "gateway/inference_proto.h"

namespace mesh::gateway {
namespace {

SamplingInput SamplingOf(const v1::SamplingOptions& options) {
  SamplingInput input;
  if (options.has_temperature()) input.temperature = options.temperature();
  if (options.has_top_p()) input.top_p = options.top_p();
  if (options.has_top_k()) input.top_k = options.top_k();
  if (options.has_min_p()) input.min_p = options.min_p();
  if (options.has_presence_penalty()) {
    input.presence_penalty = options.presence_penalty();
  }
  if (options.has_frequency_penalty()) {
    input.frequency_penalty = options.frequency_penalty();
  }
  if (options.has_repetition_penalty()) {
    input.repetition_penalty = options.repetition_penalty();
  }
  if (options.has_seed()) input.seed = options.seed();
  input.logit_bias.assign(options.logit_bias().begin(),
                          options.logit_bias().end());
  return input;
}

PromptInput PromptOf(const v1::GenerateRequest& request) {
  switch (request.input_case()) {
    case v1::GenerateRequest::kMessages:
      return FromProto(request.messages());
    case v1::GenerateRequest::kText:
      return request.text();
    case v1::GenerateRequest::kTokenIds:
      return std::vector<TokenId>(request.token_ids().ids().begin(),
                                  request.token_ids().ids().end());
    case v1::GenerateRequest::INPUT_NOT_SET:
      break;
  }
  return std::monostate();
}

template <typename To, typename From>
void CopyToken(const From& from, To* to) {
  to->set_id(from.id);
  to->set_logprob(from.logprob);
  for (const TokenLogprob& entry : from.top) {
    v1::TokenLogprob* added = to->add_top();
    added->set_id(entry.id);
    added->set_logprob(entry.logprob);
  }
}

}  // namespace

Messages FromProto(const v1::Messages& messages) {
  Messages result;
  result.reserve(static_cast<size_t>(messages.messages_size()));
  for (const v1::Message& message : messages.messages()) {
    result.push_back(
        {message.role(), message.content(), message.reasoning_content()});
  }
  return result;
}

GenerateInput FromProto(const v1::GenerateRequest& request) {
  GenerateInput input;
  input.model = request.model();
  input.prompt = PromptOf(request);
  input.sampling = SamplingOf(request.sampling());
  input.max_tokens = request.max_tokens();
  input.stops.assign(request.stop().begin(), request.stop().end());
  if (request.has_logprobs()) input.logprobs = request.logprobs();
  input.prompt_logprobs = request.prompt_logprobs();
  if (request.has_thinking()) input.thinking = request.thinking();
  input.stop_token_ids.assign(request.stop_token_ids().begin(),
                              request.stop_token_ids().end());
  input.ignore_eos = request.ignore_eos();
  input.request_id = request.request_id();
  input.priority = request.priority();
  input.cache_salt = request.cache_salt();
  return input;
}

v1::Delta ToProto(const AnswerDelta& delta) {
  v1::Delta proto;
  proto.set_text(delta.text);
  proto.set_reasoning_text(delta.reasoning);
  for (const EmittedToken& token : delta.tokens) {
    v1::TokenInfo* added = proto.add_tokens();
    added->set_index(static_cast<uint32_t>(token.index));
    CopyToken(token, added);
  }
  for (const PromptLogprob& token : delta.prompt_tokens) {
    v1::PromptTokenInfo* added = proto.add_prompt_tokens();
    added->set_position(static_cast<uint32_t>(token.position));
    CopyToken(token, added);
  }
  return proto;
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
    case FinishReason::kFailed:
      break;
  }
  return v1::FINISH_REASON_UNSPECIFIED;
}

}  // namespace mesh::gateway
