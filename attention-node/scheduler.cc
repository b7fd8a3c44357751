// SPDX-License-Identifier: Apache-2.0
#include "attention-node/scheduler.h"

#include <algorithm>
#include <utility>

#include "core/check.h"

namespace mesh::attention {
namespace {

bool IsMoreUrgent(const std::unique_ptr<Sequence>& a,
                  const std::unique_ptr<Sequence>& b) {
  return a->Urgency() < b->Urgency();
}

}  // namespace

Scheduler::Scheduler(const StepLimits& limits, int num_blocks, int block_size,
                     bool prefix_cache)
    : limits_(limits),
      block_size_(block_size),
      prefix_cache_(prefix_cache),
      blocks_(num_blocks, block_size, prefix_cache) {
  UpdateGauges();
}

Sequence& Scheduler::Add(Submission submission,
                         std::shared_ptr<const RoutingTable> routing) {
  // A fixed order with aging built in: a stream can only be overtaken by those
  // of a higher priority that come within `aging_steps` of it.
  const int64_t age =
      counters_.steps -
      static_cast<int64_t>(submission.priority) * limits_.aging_steps;
  auto sequence = std::make_unique<Sequence>(
      std::move(submission), std::move(routing), std::pair(age, num_added_++));
  MESH_DCHECK(sequence->TokenLimit() <=
              static_cast<int64_t>(blocks_.NumBlocks()) * block_size_);
  const auto place = std::upper_bound(sequences_.begin(), sequences_.end(),
                                      sequence, IsMoreUrgent);
  return **sequences_.insert(place, std::move(sequence));
}

bool Scheduler::Schedule() {
  Sweep();
  TakeSnapshot();
  const StepPlan plan = PlanStep(snapshot_,
                                 {.block_size = block_size_,
                                  .available = blocks_.NumAvailable(),
                                  .holders = blocks_.Holders()},
                                 limits_);
  for (const int i : plan.preempted) {
    Preempt(*sequences_[static_cast<size_t>(i)]);
  }
  batch_ = {};
  scheduled_.clear();
  begun_.clear();
  // What was found is held before anything is taken, lest it be evicted.
  for (const StepPlan::Rows& rows : plan.rows) {
    Sequence& sequence = *sequences_[static_cast<size_t>(rows.sequence)];
    if (sequence.GetState() == Sequence::State::kWaiting) Admit(sequence);
  }
  for (const StepPlan::Rows& rows : plan.rows) {
    Sequence& sequence = *sequences_[static_cast<size_t>(rows.sequence)];
    const int missing =
        rows.num_blocks - static_cast<int>(sequence.Blocks().size());
    MESH_CHECK(blocks_.Take(missing, sequence.MutableBlocks()));
    AddToBatch(sequence, rows);
  }
  if (scheduled_.empty()) return false;
  CountStep();
  return true;
}

void Scheduler::TakeSnapshot() {
  snapshot_.clear();
  int places = limits_.max_running_sequences;
  for (const auto& sequence : sequences_) {
    snapshot_.push_back(sequence->Snapshot());
    places -= snapshot_.back().running ? 1 : 0;
  }
  if (!prefix_cache_) return;
  NextBlocks next_blocks;
  for (size_t i = 0; i < sequences_.size(); ++i) {
    SequenceSnapshot& snapshot = snapshot_[i];
    if (!snapshot.running) {
      // No more than this can be admitted, so the rest need not be looked at.
      if (places <= 0) continue;
      FindPrefix(*sequences_[i], &snapshot);
    }
    FindWhoComputes(static_cast<int>(i), &next_blocks);
    places -= !snapshot.running && snapshot.waits_for < 0 ? 1 : 0;
  }
}

void Scheduler::FindPrefix(Sequence& sequence, SequenceSnapshot* snapshot) {
  Sequence::FoundPrefix& found = *sequence.MutableFoundPrefix();
  if (found.num_evictions != blocks_.NumEvictions()) {
    found.blocks.clear();
    found.num_evictions = blocks_.NumEvictions();
  }
  blocks_.FindPrefix(sequence.PrefixScope(), sequence.Tokens(),
                     sequence.MaxCachedTokens(), &found.blocks);
  snapshot->num_blocks = static_cast<int>(found.blocks.size());
  snapshot->num_kept_blocks = blocks_.NumKeptOf(found.blocks);
  snapshot->num_computed = snapshot->num_blocks * block_size_;
}

void Scheduler::FindWhoComputes(int idx, NextBlocks* next_blocks) {
  SequenceSnapshot& snapshot = snapshot_[static_cast<size_t>(idx)];
  Sequence& sequence = *sequences_[static_cast<size_t>(idx)];
  const int next =
      snapshot.running ? sequence.NumKeptBlocks() : snapshot.num_blocks;
  const int next_end = (next + 1) * block_size_;
  if (next_end > sequence.NumTokens()) return;
  const BlockPlace place =
      blocks_.PlaceOf(sequence.PrefixScope(), sequence.Tokens(), next,
                      snapshot.running ? sequence.Blocks()
                                       : sequence.MutableFoundPrefix()->blocks);
  const auto [first, inserted] = next_blocks->try_emplace(place, idx);
  if (inserted || snapshot.running) return;
  if (next_end > sequence.MaxCachedTokens()) return;
  snapshot.waits_for = first->second;
}

void Scheduler::Preempt(Sequence& sequence) {
  Release(sequence);
  sequence.SetState(Sequence::State::kWaiting);
  sequence.RestartFromFirstToken();
  ++counters_.preemptions;
}

void Scheduler::Release(Sequence& sequence) {
  blocks_.Release(sequence.Blocks());
  sequence.MutableBlocks()->clear();
  sequence.SetNumKeptBlocks(0);
}

void Scheduler::Admit(Sequence& sequence) {
  std::vector<BlockId>& found = sequence.MutableFoundPrefix()->blocks;
  const int num_found = static_cast<int>(found.size());
  blocks_.Share(found);
  std::swap(*sequence.MutableBlocks(), found);
  sequence.SetNumKeptBlocks(num_found);
  sequence.AddComputed(num_found * block_size_);
  sequence.SetState(Sequence::State::kRunning);
  ++counters_.admissions;
  if (!sequence.SetCachedTokens(num_found * block_size_)) return;
  begun_.push_back(&sequence);
  counters_.prompt_tokens += sequence.NumPrompt();
  counters_.cached_prompt_tokens += sequence.NumCachedTokens();
}

void Scheduler::AddToBatch(Sequence& sequence, const StepPlan::Rows& rows) {
  const int first = sequence.NumComputed();
  batch_.sequences.push_back(
      {.request = sequence.Id().first,
       .choice = sequence.Id().second,
       .first_row = batch_.num_rows,
       .num_rows = rows.num_rows,
       .first_position = first,
       .token_ids = sequence.Tokens().subspan(
           static_cast<size_t>(first), static_cast<size_t>(rows.num_rows)),
       .block_table = sequence.Blocks(),
       .routing = &sequence.Routing(),
       .num_logits = rows.num_logits});
  batch_.num_rows += rows.num_rows;
  batch_.num_logits += rows.num_logits;
  scheduled_.push_back(&sequence);
}

void Scheduler::CountStep() {
  bool has_decode = false;
  bool has_prefill = false;
  for (size_t i = 0; i < scheduled_.size(); ++i) {
    const StepBatch::SequenceRows& rows = batch_.sequences[i];
    const int num_tokens = scheduled_[i]->NumTokens();
    // One new row after an emitted token is a decode; a recomputation is not.
    const bool decode = rows.num_rows == 1 && scheduled_[i]->NumEmitted() > 0 &&
                        rows.first_position == num_tokens - 1;
    has_decode |= decode;
    has_prefill |= !decode;
    (decode ? counters_.decode_rows : counters_.prefill_rows) += rows.num_rows;
    if (rows.first_position + rows.num_rows < num_tokens) {
      ++counters_.prefill_chunks;
    }
  }
  ++counters_.steps;
  if (has_decode && has_prefill) ++counters_.mixed_steps;
}

void Scheduler::Commit(int idx) {
  const auto i = static_cast<size_t>(idx);
  Sequence& sequence = *scheduled_[i];
  sequence.AddComputed(batch_.sequences[i].num_rows);
  const int num_full = sequence.NumComputed() / block_size_;
  blocks_.Keep(sequence.PrefixScope(), sequence.Tokens(),
               sequence.NumKeptBlocks(), num_full, sequence.MutableBlocks());
  sequence.SetNumKeptBlocks(num_full);
}

void Scheduler::Discard(Sequence& sequence) {
  const std::vector<BlockId> blocks = sequence.Blocks();
  Finish(sequence);
  blocks_.Forget(blocks);
}

void Scheduler::Finish(Sequence& sequence) {
  MESH_CHECK(sequence.GetState() != Sequence::State::kFinished);
  Release(sequence);
  sequence.SetState(Sequence::State::kFinished);
  ++counters_.finished;
}

void Scheduler::Sweep() {
  std::erase_if(sequences_, [](const std::unique_ptr<Sequence>& sequence) {
    return sequence->GetState() == Sequence::State::kFinished;
  });
}

Sequence* Scheduler::Find(const StreamId& stream) {
  const auto found = std::find_if(
      sequences_.begin(), sequences_.end(), [&](const auto& sequence) {
        return sequence->Id() == stream &&
               sequence->GetState() != Sequence::State::kFinished;
      });
  return found == sequences_.end() ? nullptr : found->get();
}

void Scheduler::UpdateGauges() {
  counters_.running = 0;
  counters_.waiting = 0;
  for (const auto& sequence : sequences_) {
    if (sequence->GetState() == Sequence::State::kRunning) ++counters_.running;
    if (sequence->GetState() == Sequence::State::kWaiting) ++counters_.waiting;
  }
  counters_.total_blocks = blocks_.NumBlocks();
  counters_.free_blocks = blocks_.NumAvailable();
  counters_.kept_blocks = blocks_.NumKept();
  counters_.owned_blocks = blocks_.NumHeld();
}

}  // namespace mesh::attention
