// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <optional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/mutex.h"
#include "mesh/router/v1/placement_service.pb.h"
#include "router/control/control_thread.h"
#include "router/control/load_tracker.h"

namespace mesh::router {

// One WatchExpertLoad call: a table at once and after every period, left out
// while the one before is still being written. Keeps itself alive until gRPC is
// done with it. Thread-safe.
class LoadWatchService final
    : public grpc::ServerWriteReactor<v1::WatchExpertLoadResponse>,
      public std::enable_shared_from_this<LoadWatchService> {
 public:
  LoadWatchService(ControlThread& thread, LoadSpan span,
                   std::vector<LayerId> layers, absl::Duration period)
      : thread_(thread),
        span_(span),
        layers_(std::move(layers)),
        period_(period) {}

  void Start();

 private:
  // On the control thread.
  void Look(Controller& controller) ABSL_LOCKS_EXCLUDED(mutex_);
  void Close(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnWriteDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnCancel() override { Close(absl::CancelledError("cancelled")); }
  void OnDone() override { self_.reset(); }

  ControlThread& thread_;
  const LoadSpan span_;
  const std::vector<LayerId> layers_;
  const absl::Duration period_;
  std::shared_ptr<LoadWatchService> self_;
  v1::WatchExpertLoadResponse response_;  // of the write that is under way
  grpc::Status final_status_;             // once finishing

  Mutex mutex_;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<absl::Status> close_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace mesh::router
