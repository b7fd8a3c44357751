// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "attention-node/engine_inbox.h"
#include "attention-node/routing_table.h"
#include "attention-node/step_policy.h"
#include "attention-node/token_history.h"
#include "attention-node/token_sink.h"
#include "attention-node/transcript.h"
#include "core/ids.h"

namespace mesh::attention {

// One token stream in the engine: what it is, how far it has come, and what it
// holds. Owned by the scheduler, on the engine thread.
class Sequence {
 public:
  enum class State { kWaiting, kRunning, kFinished };

  // `urgency`: smaller goes first; unique.
  Sequence(Submission submission, std::shared_ptr<const RoutingTable> routing,
           std::pair<int64_t, int64_t> urgency);

  StreamId Id() const { return {transcript_.request, transcript_.choice}; }
  const SamplingParams& Sampling() const { return transcript_.sampling; }
  uint32_t Choice() const { return transcript_.choice; }
  absl::Time Deadline() const { return deadline_; }
  std::pair<int64_t, int64_t> Urgency() const { return urgency_; }
  const RoutingTable& Routing() const { return *routing_; }
  TokenSink& Sink() { return *sink_; }
  const TokenHistory& History() const { return history_; }

  int NumPrompt() const { return num_prompt_; }
  int NumTokens() const { return static_cast<int>(tokens_.size()); }
  int NumEmitted() const { return NumTokens() - num_prompt_; }
  int NumComputed() const { return num_computed_; }
  std::span<const TokenId> Tokens() const { return tokens_; }
  std::span<const TokenId> PromptTokens() const {
    return Tokens().first(static_cast<size_t>(num_prompt_));
  }
  int NumPromptLogprobs() const { return num_prompt_logprobs_; }  // delivered
  State GetState() const { return state_; }
  const std::vector<BlockId>& Blocks() const { return blocks_; }  // held
  // How many of the first of them the prefix cache knows.
  int NumKeptBlocks() const { return num_kept_blocks_; }
  // Of the prompt: how many were in the prefix cache when the stream began.
  int NumCachedTokens() const { return num_cached_tokens_.value_or(0); }
  // Who shares its prefixes: those of the same salt and routing.
  const std::string& PrefixScope() const { return prefix_scope_; }
  // Tokens whose rows it may find instead of computing them: never the last
  // known one, whose logits it wants, nor one with a prompt logprob to come.
  int MaxCachedTokens() const;

  // Tokens that need a KV row at most: the last emitted one never does.
  int TokenLimit() const {
    return num_prompt_ + transcript_.sampling.max_tokens - 1;
  }
  SequenceSnapshot Snapshot() const;

  // Why the stream ends with the last of its tokens, if it does.
  std::optional<FinishReason> Completion(
      std::span<const TokenId> eos_token_ids) const;

  // What a waiting sequence would find in the prefix cache; not held.
  struct FoundPrefix {
    std::vector<BlockId> blocks = {};
    int64_t num_evictions = 0;  // KvBlocks::NumEvictions() as of then
  };
  FoundPrefix* MutableFoundPrefix() { return &found_prefix_; }

  // Changes, made by the scheduler and the engine.
  std::vector<BlockId>* MutableBlocks() { return &blocks_; }
  void SetNumKeptBlocks(int count) { num_kept_blocks_ = count; }
  // At an admission; false, and no change, but for the first.
  bool SetCachedTokens(int num_found);
  void SetState(State state) { state_ = state; }
  void RestartFromFirstToken() { num_computed_ = 0; }
  void AddComputed(int num_rows) { num_computed_ += num_rows; }
  void AddPromptLogprobs(int count) { num_prompt_logprobs_ += count; }
  void AppendEmitted(TokenId token);

 private:
  bool WantsPromptLogprobs() const;

  Transcript transcript_;  // without its tokens, which are in tokens_
  const absl::Time deadline_;
  const std::pair<int64_t, int64_t> urgency_;
  const std::shared_ptr<TokenSink> sink_;
  const std::shared_ptr<const RoutingTable> routing_;
  const int num_prompt_;
  std::vector<TokenId> tokens_;  // prompt, then emitted
  TokenHistory history_;
  const std::string prefix_scope_;
  std::vector<BlockId> blocks_;
  int num_kept_blocks_ = 0;
  FoundPrefix found_prefix_;
  std::optional<int> num_cached_tokens_;
  State state_ = State::kWaiting;
  int num_computed_ = 0;         // tokens whose KV rows are in the cache
  int num_prompt_logprobs_ = 0;  // delivered
};

}  // namespace mesh::attention
