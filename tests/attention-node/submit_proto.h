// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "attention-node/transcript.h"
#include "mesh/attention/v1/attention_service.pb.h"
#include "service/handshake_proto.h"

namespace mesh::attention {

// A transcript as a gateway sends it.
inline v1::Submit SubmitOf(const Transcript& transcript, uint32_t attempt) {
  v1::Submit submit;
  submit.set_request(transcript.request.value);
  submit.set_choice(transcript.choice);
  submit.set_attempt(attempt);
  for (const TokenId token : transcript.prompt) submit.add_prompt(token);
  for (const TokenId token : transcript.emitted) submit.add_emitted(token);
  submit.set_routing_table_version(transcript.routing_table_version);
  submit.set_numerics_class(transcript.numerics);
  submit.set_model_digest(service::DigestBytes(transcript.model));
  const SamplingParams& params = transcript.sampling;
  v1::Sampling& sampling = *submit.mutable_sampling();
  sampling.set_temperature(params.temperature);
  sampling.set_top_p(params.top_p);
  sampling.set_top_k(params.top_k);
  sampling.set_min_p(params.min_p);
  sampling.set_presence_penalty(params.presence_penalty);
  sampling.set_frequency_penalty(params.frequency_penalty);
  sampling.set_repetition_penalty(params.repetition_penalty);
  sampling.set_seed(params.seed);
  for (const auto& [token, bias] : params.logit_bias) {
    v1::LogitBias* const one = sampling.add_logit_bias();
    one->set_token(token);
    one->set_bias(bias);
  }
  sampling.set_num_logprobs(params.num_logprobs);
  sampling.set_prompt_logprobs(params.prompt_logprobs);
  sampling.set_max_tokens(params.max_tokens);
  for (const TokenId token : params.stop_token_ids) {
    sampling.add_stop_token_ids(token);
  }
  sampling.set_ignore_eos(params.ignore_eos);
  return submit;
}

}  // namespace mesh::attention
