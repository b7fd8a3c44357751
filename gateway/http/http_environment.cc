// SPDX-License-Identifier: Apache-2.0
#include "gateway/http/http_environment.h"

#include "absl/time/clock.h"

namespace mesh::gateway {

void PendingAnswers::Begin() {
  counters_.answers_pending.fetch_add(1, std::memory_order_relaxed);
  MutexLock lock(mutex_);
  ++num_pending_;
}

void PendingAnswers::End() {
  counters_.answers_pending.fetch_sub(1, std::memory_order_relaxed);
  MutexLock lock(mutex_);
  if (--num_pending_ == 0) changed_.NotifyAll();
}

void PendingAnswers::NoMoreWillBegin() {
  MutexLock lock(mutex_);
  is_last_ = true;
  changed_.NotifyAll();
}

void PendingAnswers::WaitForNone(absl::Duration limit) {
  const absl::Time deadline = absl::Now() + limit;
  MutexLock lock(mutex_);
  while (!is_last_ || num_pending_ > 0) {
    const absl::Duration left = deadline - absl::Now();
    if (left <= absl::ZeroDuration()) return;
    changed_.WaitFor(mutex_, left);
  }
}

}  // namespace mesh::gateway
