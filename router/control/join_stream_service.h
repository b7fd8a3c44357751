// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <grpcpp/grpcpp.h>

#include <deque>
#include <functional>
#include <memory>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "core/mutex.h"
#include "mesh/router/v1/membership_service.pb.h"
#include "router/control/messages.h"

namespace mesh::router {

// The router's end of one Join call. Keeps itself alive until gRPC is done with
// it. Thread-safe; callbacks run on gRPC's threads and must not block.
class JoinStreamService final
    : public grpc::ServerBidiReactor<v1::JoinRequest, v1::JoinResponse>,
      public std::enable_shared_from_this<JoinStreamService> {
 public:
  struct Callbacks {
    std::function<void(JoinStreamService&, const v1::JoinRequest&)> on_message;
    std::function<void(JoinStreamService&)> on_done;  // once, last
  };

  JoinStreamService(ConnectionId id, grpc::CallbackServerContext* context,
                    Callbacks callbacks)
      : id_(id), context_(context), callbacks_(std::move(callbacks)) {}

  ConnectionId Id() const { return id_; }
  // Of the call; for callbacks of a message only.
  const grpc::CallbackServerContext& Context() const { return *context_; }

  void Start();
  // A peer that does not read for so long that many messages wait is cut off.
  void Send(v1::JoinResponse response) ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends the call after the message that is being written.
  void Close(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  // The control plane has dealt with one message.
  void OnHandled() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void OnReadDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnWriteDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnCancel() override { Close(absl::CancelledError("cancelled")); }
  void OnDone() override;

  enum class Step { kNothing, kWrite, kFinish };
  // What gRPC is to be told next; done by Do() without the lock, since gRPC may
  // call back before it returns.
  Step NextStep() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Do(Step step);

  const ConnectionId id_;
  grpc::CallbackServerContext* const context_;
  const Callbacks callbacks_;
  std::shared_ptr<JoinStreamService> self_;
  v1::JoinRequest request_;    // of the read that is under way
  v1::JoinResponse response_;  // of the write that is under way
  grpc::Status final_status_;  // once finishing

  Mutex mutex_;
  std::deque<v1::JoinResponse> queue_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<absl::Status> close_ ABSL_GUARDED_BY(mutex_);
  int unhandled_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace mesh::router
