// SPDX-License-Identifier: Apache-2.0
#include "router/control/control_thread.h"

#include <algorithm>
#include <utility>

namespace mesh::router {

void ControlThread::Start() {
  thread_ = std::thread([this] { Run(); });
}

void ControlThread::Stop() {
  {
    const MutexLock lock(mutex_);
    stopped_ = true;
  }
  changed_.NotifyAll();
  if (thread_.joinable()) thread_.join();
  const MutexLock lock(mutex_);
  tasks_.clear();
  timers_.clear();
}

void ControlThread::Post(Task task) {
  {
    const MutexLock lock(mutex_);
    if (stopped_) return;
    tasks_.push_back(std::move(task));
  }
  changed_.NotifyAll();
}

void ControlThread::PostAt(absl::Time time, Task task) {
  {
    const MutexLock lock(mutex_);
    if (stopped_) return;
    timers_.emplace(time, std::move(task));
  }
  changed_.NotifyAll();
}

std::deque<ControlThread::Task> ControlThread::Next(absl::Time deadline) {
  const MutexLock lock(mutex_);
  while (!stopped_ && tasks_.empty()) {
    const absl::Time wake =
        timers_.empty() ? deadline : std::min(deadline, timers_.begin()->first);
    const absl::Duration left = wake - clock_.Now();
    if (left <= absl::ZeroDuration()) break;
    changed_.WaitFor(mutex_, left);
  }
  std::deque<Task> tasks = std::exchange(tasks_, {});
  while (!timers_.empty() && timers_.begin()->first <= clock_.Now()) {
    tasks.push_back(std::move(timers_.begin()->second));
    timers_.erase(timers_.begin());
  }
  return tasks;
}

void ControlThread::Run() {
  while (true) {
    std::deque<Task> tasks = Next(controller_.NextDeadline());
    {
      const MutexLock lock(mutex_);
      if (stopped_) return;
    }
    for (const Task& task : tasks) task(controller_);
    controller_.Tick();
  }
}

}  // namespace mesh::router
