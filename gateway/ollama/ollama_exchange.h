// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "core/mutex.h"
#include "gateway/generation.h"
#include "gateway/http/responder.h"
#include "gateway/ollama/ollama_answer.h"
#include "gateway/task_thread.h"

namespace mesh::gateway {

// One request and its answer: a generation, written to the client as it comes,
// or kept and written whole. Keeps itself alive from Start() until the
// generation is closed. A request that is refused gets a status of its own;
// what goes wrong after the first line is a line.
//
// Locks, outer ones first: the generation's, the exchange's, those inside the
// responder and the task thread. The generation calls the exchange under its
// own lock, so what it must be told out of such a call goes through the task
// thread. The responder must not call back from within Write and its like.
class OllamaExchange final
    : public AnswerWriter,
      public std::enable_shared_from_this<OllamaExchange> {
 public:
  struct Options {
    Generation::Options generation;
    bool stream = true;
    HttpHeaders headers;  // of the answer, besides its Content-Type
  };

  // What `context` refers to and `tasks` outlive all exchanges.
  static void Start(const GenerationContext& context, Options options,
                    GenerateInput input, OllamaAnswer answer, TaskThread& tasks,
                    std::shared_ptr<Responder> responder);

  // From the generation.
  void WriteStart(const AnswerStart& start) override;
  void WriteDelta(AnswerDelta delta) override;
  void WriteEnd(const AnswerEnd& end) override;
  void BreakOff() override;

 private:
  OllamaExchange(const GenerationContext& context, Options options,
                 OllamaAnswer answer, TaskThread& tasks,
                 std::shared_ptr<Responder> responder);

  void Begin(GenerateInput input);
  // From the responder.
  void OnWritten(bool ok);
  void OnGone();

  void WriteLines(std::string lines) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WriteLast(std::string lines) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Complete(const AnswerEnd& end) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Fail(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void BeginStream() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Respond(HttpResponse response) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void PostWritten() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const GenerationContext context_;
  const Options options_;
  TaskThread& tasks_;
  const std::shared_ptr<Responder> responder_;
  const std::shared_ptr<Generation> generation_;

  Mutex mutex_;
  std::shared_ptr<OllamaExchange> self_ ABSL_GUARDED_BY(mutex_);
  OllamaAnswer answer_ ABSL_GUARDED_BY(mutex_);
  bool streaming_ ABSL_GUARDED_BY(mutex_) = false;  // the head has been sent
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool over_ ABSL_GUARDED_BY(mutex_) = false;  // nothing more is to be said
};

}  // namespace mesh::gateway
