// SPDX-License-Identifier: Apache-2.0
#include "attention-node/sequence.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "attention-node/penalties.h"
#include "core/check.h"

namespace mesh::attention {

Sequence::Sequence(Submission submission,
                   std::shared_ptr<const RoutingTable> routing,
                   std::pair<int64_t, int64_t> urgency)
    : transcript_(std::move(submission.transcript)),
      deadline_(submission.deadline),
      urgency_(urgency),
      sink_(std::move(submission.sink)),
      routing_(std::move(routing)),
      num_prompt_(static_cast<int>(transcript_.prompt.size())),
      tokens_(std::move(transcript_.prompt)),
      prefix_scope_(
          absl::StrCat(routing_->version, ":", transcript_.cache_salt)) {
  tokens_.insert(tokens_.end(), transcript_.emitted.begin(),
                 transcript_.emitted.end());
  if (HasPenalties(Sampling())) {
    history_.AddPrompt(PromptTokens());
    for (const TokenId token : transcript_.emitted) history_.AddEmitted(token);
  }
  // A stream that has emitted has had its prompt logprobs.
  if (!transcript_.emitted.empty()) num_prompt_logprobs_ = num_prompt_ - 1;
  transcript_.prompt = {};
  transcript_.emitted = {};
}

bool Sequence::WantsPromptLogprobs() const {
  return Sampling().prompt_logprobs && num_prompt_logprobs_ < num_prompt_ - 1;
}

int Sequence::MaxCachedTokens() const {
  return WantsPromptLogprobs() ? num_prompt_logprobs_ : NumTokens() - 1;
}

SequenceSnapshot Sequence::Snapshot() const {
  return {
      .running = state_ == State::kRunning,
      .num_tokens = NumTokens(),
      .num_computed = num_computed_,
      .num_blocks = static_cast<int>(blocks_.size()),
      .token_limit = TokenLimit(),
      .first_logprob_row = WantsPromptLogprobs() ? num_prompt_logprobs_ : -1,
      .blocks = blocks_};
}

std::optional<FinishReason> Sequence::Completion(
    std::span<const TokenId> eos_token_ids) const {
  if (NumEmitted() == 0) return std::nullopt;
  const auto ends_with_one_of = [&](std::span<const TokenId> tokens) {
    return std::find(tokens.begin(), tokens.end(), tokens_.back()) !=
           tokens.end();
  };
  if (ends_with_one_of(Sampling().stop_token_ids) ||
      (!Sampling().ignore_eos && ends_with_one_of(eos_token_ids))) {
    return FinishReason::kStop;
  }
  if (NumEmitted() >= Sampling().max_tokens) return FinishReason::kLength;
  return std::nullopt;
}

bool Sequence::SetCachedTokens(int num_found) {
  if (num_cached_tokens_.has_value()) return false;
  num_cached_tokens_ = std::min(num_found, num_prompt_);
  return true;
}

void Sequence::AppendEmitted(TokenId token) {
  MESH_DCHECK(num_computed_ == NumTokens());
  tokens_.push_back(token);
  if (HasPenalties(Sampling())) history_.AddEmitted(token);
}

}  // namespace mesh::attention
