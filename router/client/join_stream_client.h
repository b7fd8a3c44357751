// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <grpcpp/grpcpp.h>

#include <deque>
#include <functional>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "core/mutex.h"
#include "mesh/router/v1/membership_service.grpc.pb.h"

namespace mesh::router {

// One call of MembershipService.Join. Keeps itself alive until gRPC is done
// with it. Thread-safe; the callbacks run on gRPC's threads and must not block.
class JoinStream final
    : public grpc::ClientBidiReactor<v1::JoinRequest, v1::JoinResponse>,
      public std::enable_shared_from_this<JoinStream> {
 public:
  struct Callbacks {
    std::function<void(v1::JoinResponse)> on_message;
    std::function<void(absl::Status)> on_done;  // once, last
  };

  explicit JoinStream(Callbacks callbacks) : callbacks_(std::move(callbacks)) {}

  // Waits in the queue until Start; after that, at once.
  void Send(v1::JoinRequest request) ABSL_LOCKS_EXCLUDED(mutex_);
  // `hello` goes out before all that was queued.
  void Start(v1::MembershipService::Stub& stub, v1::JoinRequest hello)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Cancel() { context_.TryCancel(); }

 private:
  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnDone(const grpc::Status& status) override ABSL_LOCKS_EXCLUDED(mutex_);

  // Takes the next request to write into writing_; false if there is none.
  bool TakeNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Callbacks callbacks_;
  grpc::ClientContext context_;
  v1::JoinResponse response_;  // of the read that is under way
  std::shared_ptr<JoinStream> self_;

  Mutex mutex_;
  std::deque<v1::JoinRequest> queue_ ABSL_GUARDED_BY(mutex_);
  bool started_ ABSL_GUARDED_BY(mutex_) = false;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  v1::JoinRequest request_;  // of the write that is under way
};

}  // namespace mesh::router
