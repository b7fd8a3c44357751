// SPDX-License-Identifier: Apache-2.0
#include "router/control/join_stream_service.h"

#include <utility>

#include "service/grpc_status.h"

namespace mesh::router {
namespace {

constexpr size_t kMaxQueued = 256;
constexpr int kMaxUnhandled = 256;

}  // namespace

void JoinStreamService::Start() {
  self_ = shared_from_this();
  StartRead(&request_);
}

JoinStreamService::Step JoinStreamService::NextStep() {
  if (writing_ || finished_) return Step::kNothing;
  if (close_.has_value()) {
    finished_ = true;
    final_status_ = service::ToGrpc(*close_);
    return Step::kFinish;
  }
  if (queue_.empty()) return Step::kNothing;
  response_ = std::move(queue_.front());
  queue_.pop_front();
  writing_ = true;
  return Step::kWrite;
}

void JoinStreamService::Do(Step step) {
  if (step == Step::kWrite) StartWrite(&response_);
  if (step == Step::kFinish) Finish(final_status_);
}

void JoinStreamService::Send(v1::JoinResponse response) {
  Step step = Step::kNothing;
  {
    const MutexLock lock(mutex_);
    if (close_.has_value()) return;
    if (queue_.size() >= kMaxQueued) {
      close_ = absl::ResourceExhaustedError(
          "the node does not read what the router sends");
    } else {
      queue_.push_back(std::move(response));
    }
    step = NextStep();
  }
  Do(step);
}

void JoinStreamService::Close(const absl::Status& status) {
  Step step = Step::kNothing;
  {
    const MutexLock lock(mutex_);
    if (!close_.has_value()) close_ = status;
    step = NextStep();
  }
  Do(step);
}

void JoinStreamService::OnHandled() {
  const MutexLock lock(mutex_);
  --unhandled_;
}

void JoinStreamService::OnReadDone(bool ok) {
  if (!ok) return Close(absl::OkStatus());
  bool flooded = false;
  {
    const MutexLock lock(mutex_);
    flooded = ++unhandled_ > kMaxUnhandled;
  }
  if (flooded) {
    return Close(absl::ResourceExhaustedError(
        "the node sends more than the router can take"));
  }
  callbacks_.on_message(*this, request_);
  request_.Clear();
  // Safe though others may have finished the call: this reaction still counts.
  StartRead(&request_);
}

void JoinStreamService::OnWriteDone(bool ok) {
  Step step = Step::kNothing;
  {
    const MutexLock lock(mutex_);
    writing_ = false;
    if (!ok && !close_.has_value()) {
      close_ = absl::UnavailableError("the node is gone");
    }
    step = NextStep();
  }
  Do(step);
}

void JoinStreamService::OnDone() {
  // Destroyed here, or where others let go of it.
  const std::shared_ptr<JoinStreamService> self = std::move(self_);
  callbacks_.on_done(*this);
}

}  // namespace mesh::router
