// SPDX-License-Identifier: Apache-2.0
#include "router/client/join_stream_client.h"

#include <utility>

#include "service/grpc_status.h"

namespace mesh::router {

bool JoinStream::TakeNext() {
  if (!started_ || writing_ || closed_ || queue_.empty()) return false;
  request_ = std::move(queue_.front());
  queue_.pop_front();
  writing_ = true;
  return true;
}

void JoinStream::Send(v1::JoinRequest request) {
  bool write = false;
  {
    const MutexLock lock(mutex_);
    if (closed_) return;
    queue_.push_back(std::move(request));
    write = TakeNext();
  }
  // Not under the lock: gRPC may call OnWriteDone before this returns.
  if (write) StartWrite(&request_);
}

void JoinStream::Start(v1::MembershipService::Stub& stub,
                       v1::JoinRequest hello) {
  self_ = shared_from_this();
  // The call waits for the router instead of failing while it is away.
  context_.set_wait_for_ready(true);
  stub.async()->Join(&context_, this);
  AddHold();  // writes start outside of reactions; OnReadDone lets go
  StartRead(&response_);
  bool write = false;
  {
    const MutexLock lock(mutex_);
    started_ = true;
    queue_.push_front(std::move(hello));
    write = TakeNext();
  }
  if (write) StartWrite(&request_);
  StartCall();
}

void JoinStream::OnReadDone(bool ok) {
  if (ok) {
    callbacks_.on_message(std::move(response_));
    response_.Clear();
    StartRead(&response_);
    return;
  }
  bool idle = false;
  {
    const MutexLock lock(mutex_);
    closed_ = true;
    idle = !writing_;
  }
  if (idle) RemoveHold();
}

void JoinStream::OnWriteDone(bool ok) {
  bool write = false;
  bool last = false;
  {
    const MutexLock lock(mutex_);
    writing_ = false;
    last = closed_;
    if (ok) write = TakeNext();
  }
  if (write) StartWrite(&request_);
  if (last) RemoveHold();
}

void JoinStream::OnDone(const grpc::Status& status) {
  // Whoever hears of it may let go of the channel. Were this the last holder,
  // the channel would go on gRPC's thread, and gRPC waits there for itself.
  const auto on_done = callbacks_.on_done;
  absl::Status result = service::FromGrpc(status);
  self_.reset();  // destroyed here, or where the client lets go of it
  on_done(std::move(result));
}

}  // namespace mesh::router
