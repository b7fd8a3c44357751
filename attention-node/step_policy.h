// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <vector>

#include "core/ids.h"

namespace mesh::attention {

struct StepLimits {
  int max_step_tokens = 512;       // rows of one step, >= max_running_sequences
  int max_running_sequences = 64;  // that hold blocks at the same time
  // Rows of logits of one step, > max_running_sequences: one for each running
  // sequence, the rest for prompt logprobs.
  int max_step_logits = 128;
  // Blocks for this many tokens beyond the known ones are taken at admission.
  int growth_reserve_tokens = 64;
  // A sequence of the next higher priority counts as this many steps older.
  int aging_steps = 1000;
};

// What the policy sees of a sequence that is not finished.
struct SequenceSnapshot {
  bool running = false;  // holds blocks
  int num_tokens = 0;    // known: prompt and emitted
  // Of a waiting sequence: what it will find in the prefix cache.
  int num_computed = 0;
  int num_blocks = 0;       // held, or found in the prefix cache
  int num_kept_blocks = 0;  // found, and held by nobody
  // A more urgent sequence that, once it runs, computes the next block that
  // this one needs too; -1: none does.
  int waits_for = -1;
  int token_limit = 0;         // tokens that it can ever need a KV row for
  int first_logprob_row = -1;  // earliest row whose logits are still wanted for
                               // prompt logprobs; -1: none are
  std::span<const BlockId> blocks = {};  // held; looked at in preemptions
};

// What the policy sees of the KV cache.
struct BlockSnapshot {
  int block_size = 0;  // tokens
  int available = 0;   // blocks that nobody holds
  // How many sequences hold a block, by block.
  std::span<const int> holders = {};
};

struct StepPlan {
  struct Rows {
    int sequence = 0;  // index into the snapshot
    int num_rows = 0;
    int num_logits = 0;
    int num_blocks = 0;  // to hold before the step
  };
  std::vector<int> preempted;  // give up their blocks first
  std::vector<Rows> rows;
};

// Decides one step: who is preempted, who is admitted, who computes how much.
// `sequences` are in order of urgency, most urgent first.
//
// Decode rows come first, so a long prompt delays no running stream; prompts
// share what is left of the step, in order of urgency, in chunks. Waiting
// sequences are admitted strictly in order, when the blocks for all that is
// known of them and a growth reserve are free; only one that would compute the
// same as a running one lets others pass until that has done so. A sequence
// that cannot grow takes blocks from the least urgent running one, and gives up
// its own if that is itself. So the most urgent sequence always advances: if
// each fits alone, there is neither deadlock nor starvation. Pure.
StepPlan PlanStep(std::span<const SequenceSnapshot> sequences,
                  const BlockSnapshot& blocks, const StepLimits& limits);

}  // namespace mesh::attention
