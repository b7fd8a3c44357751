// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/clock.h"
#include "core/mutex.h"
#include "gateway/admission/admission.h"
#include "gateway/admission/tenant.h"
#include "gateway/admission/ticket.h"
#include "gateway/answer_stream.h"
#include "gateway/gateway_metrics.h"
#include "gateway/generation_request.h"
#include "gateway/running_requests.h"
#include "gateway/served_model.h"
#include "gateway/stream_router.h"
#include "gateway/stream_sink.h"
#include "service/logger.h"

namespace mesh::gateway {

// What all requests share. Everything outlives them.
struct GenerationContext {
  const ServedModel& model;
  StreamRouter& streams;
  Admission& admission;
  RunningRequests& running;
  GatewayMetrics& metrics;
  const service::Logger& logger;
  const Clock& clock;
  // Of a request whose client sets none.
  absl::Duration default_deadline = absl::Seconds(600);
  // Of an answer that its client has not read yet. Beyond it the stream is
  // parked until the client has read on, or for so long.
  size_t max_unread_bytes = size_t{256} << 10;
  absl::Duration max_parked = absl::Seconds(30);
};

// What an answer can be reproduced with.
struct AnswerStart {
  std::string request_id;
  uint64_t seed = 0;
  int num_prompt_tokens = 0;
  ModelIdentity identity;
};

struct AnswerUsage {
  int num_prompt_tokens = 0;
  int num_cached_tokens = 0;  // of the prompt tokens
  int num_completion_tokens = 0;
  int num_reasoning_tokens = 0;  // of the completion tokens
};

struct AnswerEnd {
  FinishReason reason = FinishReason::kStop;
  absl::Status status;  // an error: there is no answer, or no more of it
  AnswerUsage usage;
  int num_migrations = 0;
};

// OK if the answer is complete. One that was cancelled by name is not, for
// clients that have no other way to tell.
absl::Status CompletionOf(const AnswerEnd& end);

// Where an answer goes, whatever the dialect. Called one at a time under the
// generation's lock: keeps or sends what it is given and returns; does not call
// the generation. WriteStart and WriteDelta are answered by
// Generation::OnWritten, from elsewhere, before the next call comes; what
// arrives meanwhile gathers.
class AnswerWriter {
 public:
  virtual ~AnswerWriter() = default;

  // First, unless the request is refused.
  virtual void WriteStart(const AnswerStart& start) = 0;
  virtual void WriteDelta(AnswerDelta delta) = 0;
  // Last, once.
  virtual void WriteEnd(const AnswerEnd& end) = 0;
  // The client does not read, or its time is over: the write under way might
  // never end. WriteEnd still follows once it has ended or failed.
  virtual void BreakOff() = 0;
};

// One answer being generated: checks the request, waits to be admitted, submits
// it, gathers results, gives them to a writer, one write at a time. Results
// wait in an inbox (its own lock, taken under the stream router's) and are used
// in Wake(). Thread-safe. Lives until its owner, the admission and the stream
// router have let go of it.
// Locks: its own is held while it calls the writer, the stream router and the
// running requests; not while it gives a ticket or a place back, for that may
// start another generation.
class Generation final : public StreamSink, public RunningRequest {
 public:
  struct Options {
    std::string api;  // for logs and metrics: "grpc", "openai", "ollama"
    std::shared_ptr<const Tenant> tenant;  // never null
    absl::Time deadline;
  };

  // `writer` lives until Close().
  static std::shared_ptr<Generation> Create(const GenerationContext& context,
                                            Options options,
                                            AnswerWriter& writer);

  // Errors go to the writer, as the end.
  void Begin(GenerateInput input);
  // The write under way has ended; false: the client is gone.
  void OnWritten(bool ok);
  // Of a client that is away the end's status says why: too late or cancelled.
  void OnClientGone(bool is_late);
  // The owner is done: logs and counts the request. The writer is not called
  // any more.
  void Close();

  // The client's wish, or that of another in its name: the answer is complete.
  void Cancel() override;
  void Expire() override;

  void OnResult(StreamResult result, int num_migrations) override;
  void OnEnd(StreamEnd end) override;
  void Wake() override;

 private:
  Generation(const GenerationContext& context, Options options,
             AnswerWriter& writer);

  // What is given back once the lock is free.
  struct Leavings {
    std::optional<RequestId> to_cancel;
    std::optional<Ticket> ticket;
    Place place;
  };

  absl::StatusOr<Demand> Check(GenerateInput input)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnAdmitted(absl::StatusOr<Ticket> ticket);
  absl::Status Submit() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Of an answer that has ended; otherwise nothing.
  Leavings TakeLeavings() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void GiveBack(Leavings leavings);
  // Ends the answer from this side; the first end counts.
  void EndAnswer(const StreamEnd& end);
  void TakeInbox() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Park() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Unpark() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TakeResult(StreamResult result) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TakeEnd(const StreamEnd& end) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void NoteTokens(size_t num_tokens) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WriteNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  AnswerEnd MakeEnd() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void LeaveRunning() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Report() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const GenerationContext context_;
  const Options options_;
  const absl::Time begun_;

  Mutex inbox_mutex_;
  std::deque<StreamResult> inbox_ ABSL_GUARDED_BY(inbox_mutex_);
  std::optional<StreamEnd> inbox_end_ ABSL_GUARDED_BY(inbox_mutex_);
  int num_migrations_ ABSL_GUARDED_BY(inbox_mutex_) = 0;

  Mutex mutex_;
  std::weak_ptr<Generation> self_ ABSL_GUARDED_BY(mutex_);
  AnswerWriter* writer_ ABSL_GUARDED_BY(mutex_);    // null: closed
  std::string request_id_ ABSL_GUARDED_BY(mutex_);  // empty: not begun
  // Until it is submitted.
  std::optional<GenerationRequest> request_ ABSL_GUARDED_BY(mutex_);
  Place place_ ABSL_GUARDED_BY(mutex_);
  std::optional<Ticket> ticket_ ABSL_GUARDED_BY(mutex_);
  std::optional<RequestId> stream_ ABSL_GUARDED_BY(mutex_);
  std::optional<AnswerStream> answer_ ABSL_GUARDED_BY(mutex_);
  int num_prompt_tokens_ ABSL_GUARDED_BY(mutex_) = 0;
  std::optional<absl::Time> first_token_ ABSL_GUARDED_BY(mutex_);
  absl::Time last_token_ ABSL_GUARDED_BY(mutex_);

  std::optional<AnswerStart> start_ ABSL_GUARDED_BY(mutex_);  // to be written
  AnswerDelta unread_ ABSL_GUARDED_BY(mutex_);
  std::optional<StreamEnd> end_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool parked_ ABSL_GUARDED_BY(mutex_) = false;
  bool client_gone_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace mesh::gateway
