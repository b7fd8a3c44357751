// SPDX-License-Identifier: Apache-2.0
#include "router/transport/ucx_waiter.h"

#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>

#include "absl/time/clock.h"

namespace mesh::router {

absl::StatusOr<std::unique_ptr<UcxWaiter>> UcxWaiter::Create(
    absl::Duration spin) {
  const int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (fd < 0) {
    return absl::ResourceExhaustedError(
        "no file descriptor is left; raise the limit (ulimit -n)");
  }
  return std::unique_ptr<UcxWaiter>(new UcxWaiter(fd, spin));
}

UcxWaiter::~UcxWaiter() { close(wake_fd_); }

void UcxWaiter::Wake() {
  woken_ = true;
  const uint64_t one = 1;
  // It fails only while the count is at its limit, and then wakes anyway.
  [[maybe_unused]] const ssize_t written = write(wake_fd_, &one, sizeof(one));
}

bool UcxWaiter::TakeWake() {
  if (!woken_.exchange(false)) return false;
  uint64_t count = 0;
  [[maybe_unused]] const ssize_t size = read(wake_fd_, &count, sizeof(count));
  return true;
}

bool UcxWaiter::Spin(UcxWorker& worker, absl::Duration time) {
  const absl::Time end = absl::Now() + time;
  do {
    if (worker.Progress() || TakeWake()) return true;
    sched_yield();
  } while (absl::Now() < end);
  return false;
}

void UcxWaiter::Sleep(UcxWorker& worker, absl::Duration timeout) {
  if (!worker.Arm()) {
    worker.Progress();
    return;
  }
  pollfd fds[] = {{.fd = worker.EventFd(), .events = POLLIN, .revents = 0},
                  {.fd = wake_fd_, .events = POLLIN, .revents = 0}};
  const timespec time = absl::ToTimespec(
      std::clamp(timeout, absl::ZeroDuration(), absl::Hours(24)));
  ppoll(fds, 2, &time, nullptr);
  // A Wake() that was noticed before it had written leaves the count behind.
  if (fds[1].revents != 0) woken_ = true;
  TakeWake();
}

void UcxWaiter::Wait(UcxWorker& worker, absl::Duration timeout) {
  if (TakeWake()) return;
  const absl::Duration spin = std::min(spin_, timeout);
  if (spin > absl::ZeroDuration() && Spin(worker, spin)) return;
  if (timeout > spin) Sleep(worker, timeout - spin);
}

}  // namespace mesh::router
