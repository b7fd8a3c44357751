// SPDX-License-Identifier: Apache-2.0
#include "attention-node/step_policy.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"

namespace mesh::attention {
namespace {

class Planner {
 public:
  Planner(std::span<const SequenceSnapshot> sequences,
          const BlockSnapshot& blocks, const StepLimits& limits)
      : sequences_(sequences),
        blocks_(blocks),
        limits_(limits),
        running_(sequences.size()),
        free_blocks_(blocks.available),
        tokens_left_(limits.max_step_tokens),
        // A row of logits is kept for each sequence that will sample.
        prompt_logits_left_(limits.max_step_logits -
                            limits.max_running_sequences) {
    for (size_t i = 0; i < sequences.size(); ++i) {
      running_[i] = sequences[i].running;
      num_running_ += sequences[i].running ? 1 : 0;
    }
  }

  StepPlan Plan() && {
    PlanDecodes();
    PlanRunningPrompts();
    if (plan_.preempted.empty()) Admit();
    return std::move(plan_);
  }

 private:
  int NumSequences() const { return static_cast<int>(sequences_.size()); }
  const SequenceSnapshot& At(int i) const {
    return sequences_[static_cast<size_t>(i)];
  }
  bool IsRunning(int i) const { return running_[static_cast<size_t>(i)]; }
  static bool IsDecode(const SequenceSnapshot& sequence) {
    return sequence.num_tokens - sequence.num_computed == 1;
  }
  int BlocksFor(int num_tokens) const {
    return (num_tokens + blocks_.block_size - 1) / blocks_.block_size;
  }

  void PlanDecodes() {
    for (int i = 0; i < NumSequences() && tokens_left_ > 0; ++i) {
      if (!IsRunning(i) || !IsDecode(At(i))) continue;
      const int needed = BlocksFor(At(i).num_tokens) - At(i).num_blocks;
      while (needed > free_blocks_ && IsRunning(i)) PreemptLeastUrgent();
      if (!IsRunning(i)) return;
      free_blocks_ -= std::max(needed, 0);
      AddRows(i, 1, std::max(At(i).num_blocks, BlocksFor(At(i).num_tokens)));
    }
  }

  // None after sequence i has rows yet when it preempts on behalf of i, since
  // decodes are planned in order of urgency and before prompts.
  void PreemptLeastUrgent() {
    int last = NumSequences() - 1;
    while (!IsRunning(last)) --last;
    running_[static_cast<size_t>(last)] = false;
    --num_running_;
    for (const BlockId block : At(last).blocks) {
      const int holders = blocks_.holders[static_cast<size_t>(block.value)];
      if (++given_up_[block] == holders) ++free_blocks_;
    }
    plan_.preempted.push_back(last);
  }

  void PlanRunningPrompts() {
    for (int i = 0; i < NumSequences() && tokens_left_ > 0; ++i) {
      if (!IsRunning(i) || IsDecode(At(i))) continue;
      const int num_rows = ChunkRows(At(i));
      if (num_rows > 0) AddRows(i, num_rows, At(i).num_blocks);
    }
  }

  void Admit() {
    for (int i = 0; i < NumSequences(); ++i) {
      if (IsRunning(i)) continue;
      const SequenceSnapshot& sequence = At(i);
      if (sequence.waits_for >= 0 && IsRunning(sequence.waits_for)) continue;
      const int wanted =
          std::min(sequence.num_tokens + limits_.growth_reserve_tokens,
                   sequence.token_limit);
      const int num_blocks = BlocksFor(wanted);
      const int needed =
          num_blocks - sequence.num_blocks + sequence.num_kept_blocks;
      const int num_rows = ChunkRows(sequence);
      if (num_running_ == limits_.max_running_sequences ||
          needed > free_blocks_ || num_rows == 0) {
        return;
      }
      running_[static_cast<size_t>(i)] = true;
      ++num_running_;
      free_blocks_ -= needed;
      AddRows(i, num_rows, num_blocks);
    }
  }

  // Rows of prompt that fit into the rest of the step, and into the logits that
  // they want.
  int ChunkRows(const SequenceSnapshot& sequence) const {
    const int left = sequence.num_tokens - sequence.num_computed;
    const int num_rows = std::min(left, tokens_left_);
    if (sequence.first_logprob_row < 0) return num_rows;
    const int without_logits =
        std::max(sequence.first_logprob_row - sequence.num_computed, 0);
    const int allowed = without_logits + prompt_logits_left_;
    // The last row of the prompt has its own.
    return std::min(num_rows, allowed >= left - 1 ? left : allowed);
  }

  void AddRows(int i, int num_rows, int num_blocks) {
    const SequenceSnapshot& sequence = At(i);
    const int end = sequence.num_computed + num_rows;
    const int num_samples = end == sequence.num_tokens ? 1 : 0;
    int num_logits = num_samples;
    if (sequence.first_logprob_row >= 0) {
      num_logits = std::max(
          end - std::max(sequence.num_computed, sequence.first_logprob_row), 0);
      prompt_logits_left_ -= num_logits - num_samples;
    }
    tokens_left_ -= num_rows;
    plan_.rows.push_back({.sequence = i,
                          .num_rows = num_rows,
                          .num_logits = num_logits,
                          .num_blocks = num_blocks});
  }

  const std::span<const SequenceSnapshot> sequences_;
  const BlockSnapshot& blocks_;
  const StepLimits& limits_;
  std::vector<bool> running_;
  int num_running_ = 0;
  int free_blocks_;
  // How many of the preempted held a block.
  absl::flat_hash_map<BlockId, int> given_up_;
  int tokens_left_;
  int prompt_logits_left_;
  StepPlan plan_;
};

}  // namespace

StepPlan PlanStep(std::span<const SequenceSnapshot> sequences,
                  const BlockSnapshot& blocks, const StepLimits& limits) {
  return Planner(sequences, blocks, limits).Plan();
}

}  // namespace mesh::attention
