// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "core/mutex.h"

namespace mesh::gateway {

// Runs functions one after the other on a thread of its own: for what must
// happen soon, but not under the locks that are held just now. Thread-safe.
class TaskThread {
 public:
  TaskThread();
  // Runs what is queued, also what those functions post.
  ~TaskThread();

  // `task` must not wait.
  void Post(std::function<void()> task);

 private:
  void Loop();

  Mutex mutex_;
  CondVar changed_;
  std::deque<std::function<void()>> tasks_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace mesh::gateway
