// SPDX-License-Identifier: Apache-2.0
#include "attention-node/engine.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "attention-node/logprobs.h"
#include "core/check.h"
#include "core/flush_denormals.h"
#include "core/status_macros.h"

namespace mesh::attention {
namespace {

constexpr int kMaxPriority = 7;

absl::Status CheckAtLeast(const char* name, int64_t value, int64_t least) {
  if (value >= least) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "engine: ", name, " is ", value, ", expected at least ", least));
}

absl::Status CheckOptions(const Engine::Options& options,
                          const EngineModel& model) {
  const StepLimits& limits = options.limits;
  RETURN_IF_ERROR(CheckAtLeast("num_blocks", options.num_blocks, 1));
  RETURN_IF_ERROR(CheckAtLeast("block_size", options.block_size, 1));
  RETURN_IF_ERROR(
      CheckAtLeast("max_running_sequences", limits.max_running_sequences, 1));
  RETURN_IF_ERROR(CheckAtLeast("max_step_tokens", limits.max_step_tokens,
                               limits.max_running_sequences));
  RETURN_IF_ERROR(CheckAtLeast("max_step_logits", limits.max_step_logits,
                               int64_t{limits.max_running_sequences} + 1));
  RETURN_IF_ERROR(
      CheckAtLeast("growth_reserve_tokens", limits.growth_reserve_tokens, 0));
  RETURN_IF_ERROR(CheckAtLeast("aging_steps", limits.aging_steps, 0));
  RETURN_IF_ERROR(CheckAtLeast("max_streams", options.inbox.max_streams, 1));
  RETURN_IF_ERROR(CheckAtLeast("max_tokens", options.inbox.max_tokens, 1));
  RETURN_IF_ERROR(CheckAtLeast("vocab_size", model.vocab_size, 1));
  RETURN_IF_ERROR(CheckAtLeast("max_positions", model.max_positions, 2));
  if (model.routing == nullptr) {
    return absl::InvalidArgumentError("engine: no routing table");
  }
  return absl::OkStatus();
}

// The token after the sequence's last one.
EmittedToken SampleNext(const Sequence& sequence, std::span<const float> logits,
                        SamplerScratch* scratch) {
  const SamplingParams& params = sequence.Sampling();
  EmittedToken emitted;
  emitted.index = sequence.NumEmitted();
  const uint32_t word = DrawWord(params.seed, sequence.Choice(), emitted.index);
  emitted.token =
      SampleToken(params, sequence.History(), word, logits, scratch);
  if (params.num_logprobs >= 0) {
    Logprobs logprobs =
        ComputeLogprobs(logits, emitted.token, params.num_logprobs);
    emitted.logprob = logprobs.logprob;
    emitted.top = std::move(logprobs.top);
  }
  return emitted;
}

}  // namespace

Engine::Engine(const Options& options, EngineModel model, ForwardPass& forward,
               const Clock& clock, ThreadPool* pool)
    : options_(options),
      model_(std::move(model)),
      forward_(forward),
      clock_(clock),
      pool_(pool),
      inbox_(options.inbox),
      scheduler_(options.limits, options.num_blocks, options.block_size,
                 options.prefix_cache),
      scratch_(pool == nullptr ? 1 : static_cast<size_t>(pool->NumThreads())) {
  inbox_.Publish(scheduler_.Counters());
}

absl::StatusOr<std::unique_ptr<Engine>> Engine::Create(const Options& options,
                                                       EngineModel model,
                                                       ForwardPass& forward,
                                                       const Clock& clock,
                                                       ThreadPool* pool) {
  RETURN_IF_ERROR(CheckOptions(options, model));
  const size_t num_bytes = static_cast<size_t>(options.limits.max_step_logits) *
                           static_cast<size_t>(model.vocab_size) *
                           sizeof(float);
  std::unique_ptr<Engine> engine(
      new Engine(options, std::move(model), forward, clock, pool));
  ASSIGN_OR_RETURN(engine->logits_memory_, AlignedBuffer::Allocate(num_bytes));
  return engine;
}

absl::Status Engine::CheckFits(const Transcript& transcript) const {
  const int64_t num_tokens = static_cast<int64_t>(transcript.prompt.size()) +
                             transcript.sampling.max_tokens - 1;
  const int64_t needed =
      (num_tokens + options_.block_size - 1) / options_.block_size;
  if (needed <= options_.num_blocks) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("the prompt and max_tokens need ", needed,
                   " blocks of KV cache; this node has ", options_.num_blocks));
}

absl::Status Engine::Submit(Transcript transcript, absl::Time deadline,
                            std::shared_ptr<TokenSink> sink, int priority) {
  MESH_CHECK(sink != nullptr);
  RETURN_IF_ERROR(ValidateTranscript(transcript, model_));
  RETURN_IF_ERROR(CheckFits(transcript));
  if (priority < 0 || priority > kMaxPriority) {
    return absl::InvalidArgumentError(absl::StrCat(
        "priority is ", priority, ", expected 0 to ", kMaxPriority));
  }
  if (deadline <= clock_.Now()) {
    return absl::DeadlineExceededError("the deadline has passed already");
  }
  return inbox_.Submit({.transcript = std::move(transcript),
                        .deadline = deadline,
                        .priority = priority,
                        .sink = std::move(sink)});
}

void Engine::Cancel(RequestId request, uint32_t choice) {
  inbox_.Cancel({request, choice});
}

bool Engine::Step() {
  const ScopedFlushDenormals flush_denormals;
  TakeSubmissions();
  EndExpired();
  if (scheduler_.Schedule()) RunStep();
  scheduler_.Sweep();
  scheduler_.UpdateGauges();
  inbox_.Publish(scheduler_.Counters());
  return inbox_.HasStreams();
}

void Engine::FailAll(const absl::Status& status) {
  MESH_CHECK(inbox_.Closed());
  TakeSubmissions();
  for (const auto& sequence : scheduler_.Sequences()) {
    if (sequence->GetState() == Sequence::State::kFinished) continue;
    Finish(*sequence, FinishReason::kFailed, status);
  }
  scheduler_.Sweep();
  scheduler_.UpdateGauges();
  inbox_.Publish(scheduler_.Counters());
}

void Engine::TakeSubmissions() {
  inbox_.Take(&submissions_, &cancelled_);
  for (Submission& submission : submissions_) {
    Sequence& sequence = scheduler_.Add(std::move(submission), model_.routing);
    // A transcript may come back whole, its owner having missed the end.
    if (const auto reason = sequence.Completion(model_.eos_token_ids)) {
      Finish(sequence, *reason, absl::OkStatus());
    }
  }
  for (const StreamId& stream : cancelled_) {
    Sequence* const sequence = scheduler_.Find(stream);
    if (sequence == nullptr) continue;
    Finish(*sequence, FinishReason::kCancelled,
           absl::CancelledError("cancelled by its owner"));
  }
}

void Engine::EndExpired() {
  const absl::Time now = clock_.Now();
  for (const auto& sequence : scheduler_.Sequences()) {
    if (sequence->GetState() == Sequence::State::kFinished ||
        sequence->Deadline() > now) {
      continue;
    }
    Finish(
        *sequence, FinishReason::kDeadline,
        absl::DeadlineExceededError(absl::StrCat(
            "the deadline passed after ", sequence->NumEmitted(), " tokens")));
  }
}

void Engine::RunStep() {
  const StepBatch& batch = scheduler_.Batch();
  MESH_CHECK(batch.num_logits <= options_.limits.max_step_logits);
  for (Sequence* const sequence : scheduler_.Begun()) {
    sequence->Sink().OnAdmitted(sequence->NumCachedTokens());
  }
  const absl::Status status = forward_.Forward(batch, Logits(batch.num_logits));
  if (!status.ok()) {
    for (Sequence* const sequence : scheduler_.Scheduled()) {
      Finish(*sequence, FinishReason::kFailed, status);
    }
    return;
  }
  Sample();
  for (size_t i = 0; i < sampled_.size(); ++i) Commit(static_cast<int>(i));
}

MatrixView<float> Engine::Logits(int num_rows) {
  return {logits_memory_.As<float>(), num_rows, model_.vocab_size};
}

// Each sequence looks at its own rows only, so how they are spread over threads
// changes nothing.
void Engine::Sample() {
  const StepBatch& batch = scheduler_.Batch();
  const size_t num_sequences = batch.sequences.size();
  sampled_.clear();
  sampled_.resize(num_sequences);
  std::vector<int> first_logits_rows(num_sequences);
  int row = 0;
  for (size_t i = 0; i < num_sequences; ++i) {
    first_logits_rows[i] = row;
    row += batch.sequences[i].num_logits;
  }
  const auto sample_share = [&](int thread) {
    for (size_t i = static_cast<size_t>(thread); i < num_sequences;
         i += scratch_.size()) {
      SampleSequence(i, first_logits_rows[i],
                     &scratch_[static_cast<size_t>(thread)]);
    }
  };
  if (pool_ == nullptr) {
    sample_share(0);
  } else {
    pool_->ParallelFor(static_cast<int>(scratch_.size()), sample_share);
  }
}

void Engine::SampleSequence(size_t idx, int first_logits_row,
                            SamplerScratch* scratch) {
  const StepBatch::SequenceRows& rows = scheduler_.Batch().sequences[idx];
  const Sequence& sequence = *scheduler_.Scheduled()[idx];
  const SamplingParams& params = sequence.Sampling();
  const std::span<const TokenId> tokens = sequence.Tokens();
  const MatrixView<const float> logits =
      Logits(scheduler_.Batch().num_logits)
          .Slice(first_logits_row, rows.num_logits);
  Sampled& sampled = sampled_[idx];
  for (int i = 0; i < rows.num_logits; ++i) {
    sampled.status = CheckFinite(logits.Row(i));
    if (!sampled.status.ok()) return;
    // The row's logits are of the token at this position.
    const int position =
        rows.first_position + rows.num_rows - rows.num_logits + i + 1;
    if (position < sequence.NumTokens()) {
      const TokenId token = tokens[static_cast<size_t>(position)];
      Logprobs logprobs =
          ComputeLogprobs(logits.Row(i), token, params.num_logprobs);
      sampled.prompt_logprobs.push_back({.position = position,
                                         .token = token,
                                         .logprob = logprobs.logprob,
                                         .top = std::move(logprobs.top)});
      continue;
    }
    sampled.token = SampleNext(sequence, logits.Row(i), scratch);
  }
}

void Engine::Commit(int idx) {
  Sampled& sampled = sampled_[static_cast<size_t>(idx)];
  Sequence& sequence = *scheduler_.Scheduled()[static_cast<size_t>(idx)];
  if (!sampled.status.ok()) {
    scheduler_.Discard(sequence);
    Leave(sequence, FinishReason::kFailed, sampled.status);
    return;
  }
  scheduler_.Commit(idx);
  if (!sampled.prompt_logprobs.empty()) {
    sequence.AddPromptLogprobs(
        static_cast<int>(sampled.prompt_logprobs.size()));
    sequence.Sink().OnPromptLogprobs(sampled.prompt_logprobs);
  }
  if (!sampled.token.has_value()) return;
  sequence.AppendEmitted(sampled.token->token);
  ++scheduler_.MutableCounters()->emitted_tokens;
  sequence.Sink().OnToken(*sampled.token);
  if (const auto reason = sequence.Completion(model_.eos_token_ids)) {
    Finish(sequence, *reason, absl::OkStatus());
  }
}

void Engine::Finish(Sequence& sequence, FinishReason reason,
                    const absl::Status& status) {
  scheduler_.Finish(sequence);
  Leave(sequence, reason, status);
}

void Engine::Leave(Sequence& sequence, FinishReason reason,
                   const absl::Status& status) {
  inbox_.Remove(sequence.Id());
  sequence.Sink().OnFinished(reason, status);
}

}  // namespace mesh::attention
