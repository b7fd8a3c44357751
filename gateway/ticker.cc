// SPDX-License-Identifier: Apache-2.0
#include "gateway/ticker.h"

#include <utility>

#include "core/check.h"

namespace mesh::gateway {

void Ticker::Start(absl::Duration interval, std::function<void()> tick) {
  MESH_CHECK(!thread_.joinable());
  thread_ = std::thread([this, interval, tick = std::move(tick)] {
    while (true) {
      {
        MutexLock lock(mutex_);
        if (!stopping_) stopping_changed_.WaitFor(mutex_, interval);
        if (stopping_) return;
      }
      tick();
    }
  });
}

void Ticker::Stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    stopping_changed_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
}

}  // namespace mesh::gateway
