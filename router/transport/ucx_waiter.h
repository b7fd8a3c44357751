// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "router/transport/ucx_worker.h"

namespace mesh::router {

// How a transport's thread sleeps: until UCX has something, or another thread
// wakes it. Yields the core for a moment first, because falling asleep and
// waking up cost more than most answers take.
class UcxWaiter {
 public:
  // Errors: kResourceExhausted if the process has no file descriptor left.
  static absl::StatusOr<std::unique_ptr<UcxWaiter>> Create(absl::Duration spin);
  ~UcxWaiter();
  UcxWaiter(const UcxWaiter&) = delete;
  UcxWaiter& operator=(const UcxWaiter&) = delete;

  // The transport's thread only.
  void Wait(UcxWorker& worker, absl::Duration timeout);
  // Any thread.
  void Wake();

 private:
  UcxWaiter(int wake_fd, absl::Duration spin)
      : wake_fd_(wake_fd), spin_(spin) {}

  // Whether something happened before the time was over.
  bool Spin(UcxWorker& worker, absl::Duration time);
  void Sleep(UcxWorker& worker, absl::Duration timeout);
  // Forgets Wake(); whether there was one.
  bool TakeWake();

  const int wake_fd_;
  const absl::Duration spin_;
  std::atomic<bool> woken_ = false;
};

}  // namespace mesh::router
