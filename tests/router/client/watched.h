// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "core/mutex.h"

namespace mesh::router {

// Guards values that one thread waits for and others change.
class Watched {
 public:
  void Change(const std::function<void()>& change) {
    {
      const MutexLock lock(mutex_);
      change();
    }
    changed_.NotifyAll();
  }
  // False if the condition does not come true in time.
  bool Await(const std::function<bool()>& condition) {
    const absl::Time limit = absl::Now() + absl::Seconds(20);
    const MutexLock lock(mutex_);
    while (!condition()) {
      const absl::Duration left = limit - absl::Now();
      if (left <= absl::ZeroDuration()) return false;
      changed_.WaitFor(mutex_, left);
    }
    return true;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
};

}  // namespace mesh::router
