// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "attention-node/engine_counters.h"
#include "attention-node/engine_inbox.h"
#include "attention-node/engine_model.h"
#include "attention-node/sampler.h"
#include "attention-node/scheduler.h"
#include "attention-node/step_batch.h"
#include "attention-node/step_policy.h"
#include "attention-node/token_sink.h"
#include "attention-node/transcript.h"
#include "core/aligned_buffer.h"
#include "core/clock.h"
#include "core/ids.h"
#include "core/matrix_view.h"
#include "core/thread_pool.h"

namespace mesh::attention {

// The loop of an attention node: Schedule -> Forward -> Sample -> Commit.
//
// For a given transcript the emitted tokens do not depend on what else runs, on
// how the prompt was cut into chunks, or on whether the stream was preempted or
// resumed here or elsewhere. Every accepted stream ends in exactly one
// OnFinished.
// Threads: Submit, Cancel, Close and Counters from any thread; the rest
// on one, the engine thread (see EngineThread).
class Engine {
 public:
  struct Options {
    StepLimits limits;
    EngineInbox::Limits inbox;
    int num_blocks = 0;  // as the LatentKvCache that the forward pass writes
    int block_size = 0;  // tokens
    // Whether streams share what they compute for equal beginnings.
    bool prefix_cache = true;
  };

  // Allocates the logits. `forward`, `clock` and `pool` (nullable: rows are
  // sampled one after another) outlive the engine; `pool` may be the forward
  // pass's. Errors: kInvalidArgument if an option contradicts another;
  // kResourceExhausted if there is no memory.
  static absl::StatusOr<std::unique_ptr<Engine>> Create(const Options& options,
                                                        EngineModel model,
                                                        ForwardPass& forward,
                                                        const Clock& clock,
                                                        ThreadPool* pool);

  // Accepts a stream, from its beginning or, with emitted tokens, from where it
  // stopped. Among streams of higher `priority` (0 to 7) the older is served
  // first. On an error the sink is never called. Errors: those of
  // ValidateTranscript; kInvalidArgument for another priority;
  // kAlreadyExists while (request, choice) runs here; kResourceExhausted if the
  // queue is full; kDeadlineExceeded if `deadline` has passed; kUnavailable
  // after Close.
  absl::Status Submit(Transcript transcript, absl::Time deadline,
                      std::shared_ptr<TokenSink> sink, int priority = 0);

  // Ends the stream with kCancelled at the next step, if it still runs.
  void Cancel(RequestId request, uint32_t choice);

  // One step. False if no stream is left.
  bool Step();

  // Sleeps until there is something to do. False once closed.
  bool WaitForWork() { return inbox_.WaitForWork(); }

  // For a thread that sleeps elsewhere while there is nothing to do: whether
  // WaitForWork would return at once, and what to call when that changes.
  // SetWaker REQUIRES: no other thread is there yet.
  bool HasWork() const { return inbox_.HasWork(); }
  void SetWaker(std::function<void()> waker) {
    inbox_.SetWaker(std::move(waker));
  }

  // From now on refuses streams; WaitForWork returns.
  void Close() { inbox_.Close(); }

  // Ends all streams with kFailed and `status`. REQUIRES: closed.
  void FailAll(const absl::Status& status);

  EngineCounters Counters() const { return inbox_.Counters(); }

 private:
  Engine(const Options& options, EngineModel model, ForwardPass& forward,
         const Clock& clock, ThreadPool* pool);

  // What sampling made of one scheduled sequence.
  struct Sampled {
    absl::Status status;
    std::vector<PromptLogprob> prompt_logprobs;
    std::optional<EmittedToken> token;  // if its last known token was computed
  };

  absl::Status CheckFits(const Transcript& transcript) const;
  void TakeSubmissions();
  void EndExpired();
  void RunStep();
  void Sample();
  void SampleSequence(size_t idx, int first_logits_row,
                      SamplerScratch* scratch);
  void Commit(int idx);
  void Finish(Sequence& sequence, FinishReason reason,
              const absl::Status& status);
  void Leave(Sequence& sequence, FinishReason reason,
             const absl::Status& status);
  MatrixView<float> Logits(int num_rows);

  const Options options_;
  const EngineModel model_;
  ForwardPass& forward_;
  const Clock& clock_;
  ThreadPool* const pool_;
  EngineInbox inbox_;
  Scheduler scheduler_;
  AlignedBuffer logits_memory_;  // [max_step_logits, vocab_size] float32
  std::vector<SamplerScratch> scratch_;  // one for each thread of the pool
  std::vector<Sampled> sampled_;         // by index in the step
  std::vector<Submission> submissions_;  // kept for their capacity
  std::vector<StreamId> cancelled_;
};

}  // namespace mesh::attention
