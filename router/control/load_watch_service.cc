// SPDX-License-Identifier: Apache-2.0
#include "router/control/load_watch_service.h"

#include <utility>

#include "core/clock.h"
#include "router/control/load_proto.h"
#include "service/grpc_status.h"

namespace mesh::router {

void LoadWatchService::Start() {
  self_ = shared_from_this();
  thread_.Post(
      [self = self_](Controller& controller) { self->Look(controller); });
}

void LoadWatchService::Look(Controller& controller) {
  auto table = controller.ReadLoad(span_, layers_);
  if (!table.ok()) return Close(table.status());
  v1::WatchExpertLoadResponse response;
  *response.mutable_load() = ToProto(*table);
  bool write = false;
  {
    const MutexLock lock(mutex_);
    if (close_.has_value()) return;
    write = !writing_;
    writing_ = true;
    if (write) response_ = std::move(response);
  }
  if (write) StartWrite(&response_);
  thread_.PostAt(
      RealClock().Now() + period_,
      [self = shared_from_this()](Controller& later) { self->Look(later); });
}

void LoadWatchService::Close(const absl::Status& status) {
  {
    const MutexLock lock(mutex_);
    if (!close_.has_value()) close_ = status;
    if (writing_ || finished_) return;
    finished_ = true;
    final_status_ = service::ToGrpc(*close_);
  }
  Finish(final_status_);
}

void LoadWatchService::OnWriteDone(bool ok) {
  bool closing = false;
  {
    const MutexLock lock(mutex_);
    writing_ = false;
    closing = close_.has_value();
  }
  if (closing || !ok) Close(absl::CancelledError("the caller is gone"));
}

}  // namespace mesh::router
