// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "attention-node/engine_counters.h"
#include "attention-node/kv_blocks.h"
#include "attention-node/routing_table.h"
#include "attention-node/sequence.h"
#include "attention-node/step_batch.h"
#include "attention-node/step_policy.h"

namespace mesh::attention {

// Continuous batching: holds the sequences of an engine and their blocks, and
// carries out what PlanStep decides. Owned by the engine thread.
class Scheduler {
 public:
  // The last is whether sequences find what others have computed before them.
  Scheduler(const StepLimits& limits, int num_blocks, int block_size,
            bool prefix_cache);

  // REQUIRES: TokenLimit() of the sequence fits into all blocks.
  Sequence& Add(Submission submission,
                std::shared_ptr<const RoutingTable> routing);

  // Plans the next step, moves blocks accordingly and lays out the batch.
  // False if there is nothing to compute.
  bool Schedule();

  // The step of the last Schedule: Scheduled()[i] computes
  // Batch().sequences[i]. Valid until the next call that changes a sequence.
  const StepBatch& Batch() const { return batch_; }
  std::span<Sequence* const> Scheduled() const { return scheduled_; }
  // Those of them that have begun with it.
  std::span<Sequence* const> Begun() const { return begun_; }

  // Counts the rows of sequence `idx` of the step as computed.
  void Commit(int idx);

  // Frees the blocks; the sequence is kFinished until Sweep forgets it.
  void Finish(Sequence& sequence);
  // The same for one that has computed nonsense: nobody shall find it.
  void Discard(Sequence& sequence);
  void Sweep();

  Sequence* Find(const StreamId& stream);
  // In order of urgency, finished ones included until Sweep.
  std::span<const std::unique_ptr<Sequence>> Sequences() const {
    return sequences_;
  }
  const EngineCounters& Counters() const { return counters_; }
  EngineCounters* MutableCounters() { return &counters_; }
  // Counts running, waiting and free anew.
  void UpdateGauges();

 private:
  // Where the first sequence that computes a block stands in sequences_.
  using NextBlocks =
      absl::flat_hash_map<BlockPlace, int, BlockPlaceHash, BlockPlaceEqual>;

  void TakeSnapshot();
  void FindPrefix(Sequence& sequence, SequenceSnapshot* snapshot);
  void FindWhoComputes(int idx, NextBlocks* next_blocks);
  void Preempt(Sequence& sequence);
  void Release(Sequence& sequence);
  void Admit(Sequence& sequence);
  void AddToBatch(Sequence& sequence, const StepPlan::Rows& rows);
  void CountStep();

  const StepLimits limits_;
  const int block_size_;
  const bool prefix_cache_;
  KvBlocks blocks_;
  std::vector<std::unique_ptr<Sequence>> sequences_;  // by urgency
  int64_t num_added_ = 0;
  EngineCounters counters_;
  std::vector<SequenceSnapshot> snapshot_;
  StepBatch batch_;
  std::vector<Sequence*> scheduled_;
  std::vector<Sequence*> begun_;
};

}  // namespace mesh::attention
