// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/clock.h"
#include "core/mutex.h"
#include "gateway/answer_stream.h"
#include "gateway/gateway_metrics.h"
#include "gateway/generation_request.h"
#include "gateway/running_requests.h"
#include "gateway/served_model.h"
#include "gateway/stream_router.h"
#include "gateway/stream_sink.h"
#include "mesh/gateway/v1/inference_service.pb.h"
#include "service/logger.h"

namespace mesh::gateway {

// What all calls share. Everything outlives them.
struct InferenceContext {
  const ServedModel& model;
  StreamRouter& streams;
  RunningRequests& running;
  GatewayMetrics& metrics;
  const service::Logger& logger;
  const Clock& clock;
  // Of a request whose client sets none.
  absl::Duration default_deadline = absl::Seconds(600);
  // Of an answer that its client has not read yet.
  size_t max_unread_bytes = size_t{256} << 10;
};

// One Generate call: a request on its way in, an answer on its way out.
// Results wait in an inbox (its own lock, taken under the stream router's) and
// become messages in Wake(). While a message is written the answer gathers; the
// next message takes all of it.
// Threads: as gRPC and stream_sink.h say. Lives until gRPC and the stream
// router have both let go of it.
class GenerateCall final
    : public grpc::ServerWriteReactor<v1::GenerateResponse>,
      public StreamSink,
      public RunningRequest {
 public:
  static GenerateCall* Start(const InferenceContext& context,
                             grpc::CallbackServerContext* server_context,
                             const v1::GenerateRequest& request);

  void OnResult(StreamResult result, int num_migrations) override;
  void OnEnd(StreamEnd end) override;
  void Wake() override;

  void Cancel() override;
  void Expire() override;

 private:
  GenerateCall(const InferenceContext& context,
               grpc::CallbackServerContext* server_context);

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

  absl::Status Begin(const v1::GenerateRequest& request)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Submit(GenerationRequest request, absl::Time deadline)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Ends the answer from this side; the first end counts.
  void EndAnswer(const StreamEnd& end);
  void TakeInbox() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TakeResult(StreamResult result) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TakeEnd(const StreamEnd& end) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void NoteTokens(size_t num_tokens) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WriteNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WriteCompleted() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Report() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const InferenceContext context_;
  grpc::CallbackServerContext* const server_context_;
  const absl::Time begun_;

  Mutex inbox_mutex_;
  std::deque<StreamResult> inbox_ ABSL_GUARDED_BY(inbox_mutex_);
  std::optional<StreamEnd> inbox_end_ ABSL_GUARDED_BY(inbox_mutex_);
  int num_migrations_ ABSL_GUARDED_BY(inbox_mutex_) = 0;

  Mutex mutex_;
  std::shared_ptr<GenerateCall> self_ ABSL_GUARDED_BY(mutex_);
  std::string request_id_ ABSL_GUARDED_BY(mutex_);  // once it is registered
  std::optional<RequestId> stream_ ABSL_GUARDED_BY(mutex_);
  std::optional<AnswerStream> answer_ ABSL_GUARDED_BY(mutex_);
  int num_prompt_tokens_ ABSL_GUARDED_BY(mutex_) = 0;
  std::optional<absl::Time> first_token_ ABSL_GUARDED_BY(mutex_);
  absl::Time last_token_ ABSL_GUARDED_BY(mutex_);

  bool must_start_ ABSL_GUARDED_BY(mutex_) = false;  // `started_` goes first
  v1::GenerateResponse started_ ABSL_GUARDED_BY(mutex_);
  AnswerDelta unread_ ABSL_GUARDED_BY(mutex_);
  std::optional<StreamEnd> end_ ABSL_GUARDED_BY(mutex_);
  v1::GenerateResponse response_ ABSL_GUARDED_BY(mutex_);  // being written
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool client_gone_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace mesh::gateway
