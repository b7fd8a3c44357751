// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "core/mutex.h"
#include "gateway/generation.h"
#include "gateway/http/responder.h"
#include "gateway/openai/answer_format.h"
#include "gateway/task_thread.h"

namespace mesh::gateway {

// One request and its answer: a generation for each choice, written to the
// client as they come, or kept and written whole. Keeps itself alive from
// Start() until every generation is closed.
//
// The head of a stream is sent when the first choice has started, so that a
// request that is refused gets a status of its own; what goes wrong later is an
// event. The first error is the answer, and ends the other choices.
//
// Locks, outer ones first: the generation's, the exchange's, those inside the
// responder and the task thread. A generation calls the exchange under its own
// lock, so the exchange never calls a generation under its: what a generation
// must be told out of such a call goes through the task thread. The responder
// must not call back from within Write and its like; OnGone may.
class Exchange final : public std::enable_shared_from_this<Exchange> {
 public:
  struct Options {
    Generation::Options generation;
    bool stream = false;
    HttpHeaders headers;  // of the answer, besides its Content-Type
  };

  // One choice for each of `inputs`. What `context` refers to and `tasks`
  // outlive all exchanges.
  static void Start(const GenerationContext& context, Options options,
                    std::vector<GenerateInput> inputs,
                    std::unique_ptr<AnswerFormat> format, TaskThread& tasks,
                    std::shared_ptr<Responder> responder);

 private:
  // Hands on what its generation says.
  class Choice final : public AnswerWriter {
   public:
    Choice(Exchange& exchange, size_t index)
        : exchange_(exchange), index_(index) {}

    void WriteStart(const AnswerStart& start) override {
      exchange_.OnStart(index_, start);
    }
    void WriteDelta(AnswerDelta delta) override {
      exchange_.OnDelta(index_, delta);
    }
    void WriteEnd(const AnswerEnd& end) override {
      exchange_.OnEnd(index_, end);
    }
    void BreakOff() override { exchange_.OnBreakOff(index_); }

   private:
    Exchange& exchange_;
    const size_t index_;
  };

  Exchange(const GenerationContext& context, Options options,
           size_t num_choices, std::unique_ptr<AnswerFormat> format,
           TaskThread& tasks, std::shared_ptr<Responder> responder);

  void Begin(std::vector<GenerateInput> inputs);
  // Null once the answer is over: the choice need not begin.
  std::shared_ptr<Generation> NextGeneration(size_t choice);
  void OnBegun();

  // From the generations.
  void OnStart(size_t choice, const AnswerStart& start);
  void OnDelta(size_t choice, const AnswerDelta& delta);
  void OnEnd(size_t choice, const AnswerEnd& end);
  void OnBreakOff(size_t choice);
  // From the responder.
  void OnWritten(size_t choice, bool ok);
  void OnGone();

  void StartChoice(size_t choice) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WritePiece(size_t choice, std::string piece)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TakeEnd(size_t choice, const AnswerEnd& end)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Complete(std::string last_piece) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Fail(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WriteLast(std::string piece) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CloseIfOver() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Through the task thread.
  void PostWritten(size_t choice) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void PostToAll(void (*act)(Generation&))
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  HttpResponse WithHeaders(HttpResponse response) const;
  bool IsLate() const;

  const GenerationContext context_;
  const Options options_;
  const size_t num_choices_;
  TaskThread& tasks_;
  const std::shared_ptr<Responder> responder_;
  std::vector<Choice> choices_;  // const after the constructor

  Mutex mutex_;
  std::shared_ptr<Exchange> self_ ABSL_GUARDED_BY(mutex_);
  const std::unique_ptr<AnswerFormat> format_ ABSL_PT_GUARDED_BY(mutex_);
  // Of the choices that have begun.
  std::vector<std::shared_ptr<Generation>> generations_ ABSL_GUARDED_BY(mutex_);
  // Choices that have started while others had yet to begin.
  std::vector<size_t> started_early_ ABSL_GUARDED_BY(mutex_);
  std::vector<bool> writing_ ABSL_GUARDED_BY(mutex_);  // by choice
  size_t num_ended_ ABSL_GUARDED_BY(mutex_) = 0;
  bool beginning_ ABSL_GUARDED_BY(mutex_) = true;
  bool streaming_ ABSL_GUARDED_BY(mutex_) = false;  // the head has been sent
  bool gone_ ABSL_GUARDED_BY(mutex_) = false;       // the client has
  bool over_ ABSL_GUARDED_BY(mutex_) = false;  // nothing more is to be said
  bool closing_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace mesh::gateway
