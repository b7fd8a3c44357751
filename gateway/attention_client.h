// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/clock.h"
#include "core/mutex.h"
#include "gateway/attention_messages.h"
#include "gateway/node_link.h"
#include "mesh/attention/v1/attention_service.grpc.pb.h"
#include "service/grpc_channel.h"

namespace mesh::gateway {

// One connection to one attention node: a Serve stream from its hello to its
// end, which comes once and is final; a new connection is a new object. Silence
// for longer than heartbeat_timeout is an end too; while the node has none of
// our streams, both sides speak and wait four times as long.
// Threads: thread-safe. The delegate is called on gRPC's threads and on that of
// Tick(), never with a lock held. Its owner keeps it until Done(): its channel
// must not end on a thread of gRPC's, which would then wait for itself.
class AttentionClient final
    : public NodeLink,
      public std::enable_shared_from_this<AttentionClient>,
      private grpc::ClientBidiReactor<attention::v1::ServeRequest,
                                      attention::v1::ServeResponse> {
 public:
  class Delegate {
   public:
    virtual ~Delegate() = default;
    // First, once. An error ends the connection.
    virtual absl::Status OnReady(const std::shared_ptr<AttentionClient>& client,
                                 NodeHello hello) = 0;
    virtual void OnStep(AttentionClient& client, StepResults results) = 0;
    virtual void OnLoad(AttentionClient& client, const NodeLoad& load) = 0;
    virtual void OnRefused(AttentionClient& client, const Refusal& refusal) = 0;
    // Once; a call of the others may still be under way on another thread.
    virtual void OnClosed(AttentionClient& client,
                          const absl::Status& reason) = 0;
  };

  struct Options {
    std::string address;
    service::ChannelOptions channel;
    common::v1::NodeInfo self;
    absl::Duration heartbeat_timeout = absl::Seconds(1);
    // From the beginning to the node's hello.
    absl::Duration connect_timeout = absl::Seconds(5);
  };

  // Begins to connect. `delegate` and `clock` live until Done(). Errors: those
  // of service::MakeChannel.
  static absl::StatusOr<std::shared_ptr<AttentionClient>> Connect(
      const Options& options, Delegate& delegate, const Clock& clock);

  void Submit(const Submission& submission) override;
  void Cancel(RequestId request, uint32_t attempt) override;

  // Sends a heartbeat if it is time, and ends the connection if the node has
  // been silent for too long. `was_late`: this process itself has not run for a
  // while, so silence means nothing yet.
  void Tick(bool was_late);

  // Ends the connection; OnClosed says `reason`, unless it has been called.
  void Close(const absl::Status& reason);

  // No call of the delegate is under way or will come.
  bool Done() const;
  void AwaitDone() const;

 private:
  AttentionClient(const Options& options, Delegate& delegate,
                  const Clock& clock);

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;

  void HandleMessage();
  // The node has one stream less.
  void Forget(RequestId request, uint32_t attempt);
  // What times of silence are multiplied by.
  int Patience() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void HandleHello();
  void Enqueue(attention::v1::ServeRequest request);
  void EnqueueLocked(attention::v1::ServeRequest request)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WriteNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // No more operations from outside reactions.
  void Release() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;
  Delegate& delegate_;
  const Clock& clock_;
  std::unique_ptr<attention::v1::AttentionService::Stub> stub_;
  grpc::ClientContext context_;
  // Touched by one read at a time.
  attention::v1::ServeResponse response_;
  bool is_ready_ = false;

  mutable Mutex mutex_;
  mutable CondVar done_changed_;
  std::deque<attention::v1::ServeRequest> outgoing_ ABSL_GUARDED_BY(mutex_);
  size_t outgoing_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  // The front of outgoing_ is being written.
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool released_ ABSL_GUARDED_BY(mutex_) = false;
  bool reported_ ABSL_GUARDED_BY(mutex_) = false;
  bool done_ ABSL_GUARDED_BY(mutex_) = false;
  // Attempts that the node has not ended.
  absl::flat_hash_set<std::pair<RequestId, uint32_t>> running_
      ABSL_GUARDED_BY(mutex_);
  uint64_t num_heartbeats_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Time last_sent_ ABSL_GUARDED_BY(mutex_);
  absl::Time last_heard_ ABSL_GUARDED_BY(mutex_);
  // Before the hello: the whole time for it.
  absl::Duration silence_limit_ ABSL_GUARDED_BY(mutex_);
  absl::Duration heartbeat_interval_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace mesh::gateway
