// SPDX-License-Identifier: Apache-2.0
#include "gateway/task_thread.h"

#include <utility>

namespace mesh::gateway {

TaskThread::TaskThread() : thread_([this] { Loop(); }) {}

TaskThread::~TaskThread() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    changed_.NotifyAll();
  }
  thread_.join();
}

void TaskThread::Post(std::function<void()> task) {
  const MutexLock lock(mutex_);
  tasks_.push_back(std::move(task));
  changed_.NotifyOne();
}

void TaskThread::Loop() {
  while (true) {
    std::deque<std::function<void()>> tasks;
    {
      const MutexLock lock(mutex_);
      while (tasks_.empty() && !stopping_) changed_.Wait(mutex_);
      if (tasks_.empty()) return;
      tasks.swap(tasks_);
    }
    for (std::function<void()>& task : tasks) {
      task();
      task = nullptr;  // with all that it holds
    }
  }
}

}  // namespace mesh::gateway
