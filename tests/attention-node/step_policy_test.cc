// SPDX-License-Identifier: Apache-2.0
#include "attention-node/step_policy.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace mesh::attention {
namespace {

constexpr int kBlockSize = 4;

SequenceSnapshot Waiting(int num_tokens) {
  return {.num_tokens = num_tokens, .token_limit = num_tokens + 100};
}
SequenceSnapshot Decode(int num_tokens, int num_blocks) {
  return {.running = true,
          .num_tokens = num_tokens,
          .num_computed = num_tokens - 1,
          .num_blocks = num_blocks,
          .token_limit = num_tokens + 100};
}
// One that has found some of its blocks, of which nobody holds the last few.
SequenceSnapshot Known(int num_tokens, int num_blocks, int num_kept) {
  return {.num_tokens = num_tokens,
          .num_computed = num_blocks * kBlockSize,
          .num_blocks = num_blocks,
          .num_kept_blocks = num_kept,
          .token_limit = num_tokens + 100};
}
SequenceSnapshot Prompt(int num_tokens, int num_computed) {
  return {.running = true,
          .num_tokens = num_tokens,
          .num_computed = num_computed,
          .num_blocks = (num_tokens + kBlockSize - 1) / kBlockSize,
          .token_limit = num_tokens + 100};
}

StepLimits Limits() {
  return {.max_step_tokens = 16,
          .max_running_sequences = 4,
          .max_step_logits = 8,
          .growth_reserve_tokens = 4};
}

// "i:rows/logits/blocks" for each, and "-i" for the preempted.
std::string Describe(const StepPlan& plan) {
  std::string text;
  for (const int i : plan.preempted) absl::StrAppend(&text, "-", i, " ");
  for (const StepPlan::Rows& rows : plan.rows) {
    absl::StrAppend(&text, rows.sequence, ":", rows.num_rows, "/",
                    rows.num_logits, "/", rows.num_blocks, " ");
  }
  return text;
}

// Every running sequence has blocks of its own, if the test gives it none.
std::string Plan(std::vector<SequenceSnapshot> sequences, int available,
                 const StepLimits& limits = Limits()) {
  std::vector<int> holders(8, 0);
  std::vector<std::vector<BlockId>> own(sequences.size());
  for (size_t i = 0; i < sequences.size(); ++i) {
    if (!sequences[i].running) continue;
    for (const BlockId block : sequences[i].blocks) {
      ++holders[static_cast<size_t>(block.value)];
    }
    if (!sequences[i].blocks.empty()) continue;
    for (int j = 0; j < sequences[i].num_blocks; ++j) {
      own[i].push_back(BlockId{static_cast<int32_t>(holders.size())});
      holders.push_back(1);
    }
    sequences[i].blocks = own[i];
  }
  return Describe(PlanStep(
      sequences,
      {.block_size = kBlockSize, .available = available, .holders = holders},
      limits));
}

TEST(StepPolicy, NothingGivesNothing) { EXPECT_EQ(Plan({}, 10), ""); }

TEST(StepPolicy, AdmissionTakesBlocksForThePromptAndTheReserve) {
  EXPECT_EQ(Plan({Waiting(5)}, 3), "0:5/1/3 ");
  EXPECT_EQ(Plan({Waiting(5)}, 2), "");
}

TEST(StepPolicy, ReserveStopsAtWhatCanEverBeNeeded) {
  SequenceSnapshot sequence = Waiting(5);
  sequence.token_limit = 6;
  EXPECT_EQ(Plan({sequence}, 2), "0:5/1/2 ");
}

TEST(StepPolicy, DecodesComeFirstAndPromptsShareTheRest) {
  EXPECT_EQ(Plan({Prompt(40, 0), Decode(9, 3), Decode(6, 2), Waiting(8)}, 9),
            "1:1/1/3 2:1/1/2 0:14/0/10 ");
  EXPECT_EQ(Plan({Prompt(40, 30), Decode(9, 3), Waiting(8)}, 9),
            "1:1/1/3 0:10/1/10 2:5/0/3 ");
}

TEST(StepPolicy, DecodeGrowsByABlockAtItsEdge) {
  EXPECT_EQ(Plan({Decode(8, 2)}, 1), "0:1/1/2 ");
  EXPECT_EQ(Plan({Decode(9, 2)}, 1), "0:1/1/3 ");
}

TEST(StepPolicy, GrowthPreemptsTheLeastUrgent) {
  EXPECT_EQ(Plan({Decode(9, 2), Decode(6, 2), Decode(7, 2)}, 0),
            "-2 0:1/1/3 1:1/1/2 ");
  // A prompt in progress gives way too, and nobody is admitted meanwhile.
  EXPECT_EQ(Plan({Decode(9, 2), Prompt(20, 4), Waiting(1)}, 0), "-1 0:1/1/3 ");
}

TEST(StepPolicy, SequenceThatCannotGrowGivesUpItsOwnBlocks) {
  EXPECT_EQ(Plan({Decode(6, 2), Decode(9, 2)}, 0), "-1 0:1/1/2 ");
}

TEST(StepPolicy, SharedBlockIsFreeOnceAllItsHoldersHaveGivenItUp) {
  const std::vector<BlockId> first = {BlockId{0}, BlockId{1}};
  const std::vector<BlockId> second = {BlockId{0}, BlockId{2}};
  const std::vector<BlockId> third = {BlockId{0}, BlockId{3}};
  const auto with = [](SequenceSnapshot sequence,
                       const std::vector<BlockId>& blocks) {
    sequence.blocks = blocks;
    return sequence;
  };
  // Each of the others gives one block; the one that all share stays.
  const SequenceSnapshot a = with(Decode(9, 2), first);
  const SequenceSnapshot b = with(Decode(9, 2), second);
  const SequenceSnapshot c = with(Decode(6, 2), third);
  EXPECT_EQ(Plan({a, c, b}, 0), "-2 0:1/1/3 1:1/1/2 ");
  EXPECT_EQ(Plan({a, b, c}, 0), "-2 -1 0:1/1/3 ");
  // With nothing but the shared block, both have to go before it is free.
  const std::vector<BlockId> shared = {BlockId{0}};
  EXPECT_EQ(Plan({Decode(9, 2), with(Decode(3, 1), shared),
                  with(Decode(3, 1), shared)},
                 0),
            "-2 -1 0:1/1/3 ");
}

TEST(StepPolicy, BlocksThatAreKnownAreNeitherComputedNorTaken) {
  // 5 blocks with the reserve; 3 known, one of which nobody holds.
  EXPECT_EQ(Plan({Known(16, 3, 1)}, 3), "0:4/1/5 ");
  EXPECT_EQ(Plan({Known(16, 3, 1)}, 2), "");
  EXPECT_EQ(Plan({Known(16, 3, 0)}, 2), "0:4/1/5 ");
}

TEST(StepPolicy, SequenceLetsOthersPassWhileAnotherComputesItsPrompt) {
  SequenceSnapshot second = Waiting(40);
  second.waits_for = 0;
  EXPECT_EQ(Plan({Prompt(40, 0), second, Waiting(1)}, 50), "0:16/0/10 ");
  EXPECT_EQ(Plan({Prompt(40, 30), second, Waiting(1)}, 50),
            "0:10/1/10 2:1/1/2 ");
  // Admitted in this very step, the first computes already.
  EXPECT_EQ(Plan({Waiting(8), second, Waiting(1)}, 50), "0:8/1/3 2:1/1/2 ");
  // Not running, it computes nothing that could be waited for.
  second.waits_for = 1;
  EXPECT_EQ(Plan({second, Waiting(8)}, 50), "0:16/0/11 ");
}

TEST(StepPolicy, AdmissionIsStrictlyInOrder) {
  // The second would fit; it does not overtake.
  EXPECT_EQ(Plan({Waiting(40), Waiting(1)}, 9), "");
}

TEST(StepPolicy, RunningSequencesAreBounded) {
  EXPECT_EQ(
      Plan({Waiting(1), Waiting(1), Waiting(1), Waiting(1), Waiting(1)}, 100),
      "0:1/1/2 1:1/1/2 2:1/1/2 3:1/1/2 ");
}

TEST(StepPolicy, PromptLogprobsAreBoundedByTheLogits) {
  // 8 rows of logits, 4 of them kept for sampling.
  SequenceSnapshot sequence = Prompt(12, 0);
  sequence.first_logprob_row = 0;
  EXPECT_EQ(Plan({sequence}, 0), "0:4/4/3 ");
  sequence.num_computed = sequence.first_logprob_row = 4;
  EXPECT_EQ(Plan({sequence}, 0), "0:4/4/3 ");
  // The last row of the prompt samples, and has its own.
  sequence.num_computed = sequence.first_logprob_row = 7;
  EXPECT_EQ(Plan({sequence}, 0), "0:5/5/3 ");
}

TEST(StepPolicy, RecomputedRowsWantNoLogprobsAgain) {
  SequenceSnapshot sequence = Prompt(12, 0);
  sequence.first_logprob_row = 6;
  EXPECT_EQ(Plan({sequence}, 0), "0:10/4/3 ");
}

}  // namespace
}  // namespace mesh::attention
