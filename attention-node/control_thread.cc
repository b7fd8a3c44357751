// SPDX-License-Identifier: Apache-2.0
#include "attention-node/control_thread.h"

#include <utility>

#include "core/check.h"

namespace mesh::attention {

void ControlThread::Start(std::function<absl::Time()> work) {
  MESH_CHECK(!thread_.joinable());
  thread_ = std::thread([this, work = std::move(work)] { Run(work); });
}

void ControlThread::Run(const std::function<absl::Time()>& work) {
  while (SleepUntil(work())) {
  }
}

bool ControlThread::SleepUntil(absl::Time next) {
  const MutexLock lock(mutex_);
  while (!stopped_ && !woken_) {
    const absl::Duration left = next - clock_.Now();
    if (left <= absl::ZeroDuration()) break;
    changed_.WaitFor(mutex_, left);
  }
  woken_ = false;
  return !stopped_;
}

void ControlThread::Wake() {
  const MutexLock lock(mutex_);
  woken_ = true;
  changed_.NotifyAll();
}

void ControlThread::Stop() {
  {
    const MutexLock lock(mutex_);
    stopped_ = true;
    changed_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
}

}  // namespace mesh::attention
