// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "core/clock.h"
#include "core/mutex.h"
#include "router/control/controller.h"

namespace mesh::router {

// The thread that owns the controller: runs what others post, and wakes it at
// its deadlines. Sleeps in between. Thread-safe.
class ControlThread {
 public:
  using Task = std::function<void(Controller&)>;

  // Both outlive the thread.
  ControlThread(Controller& controller, const Clock& clock)
      : controller_(controller), clock_(clock) {}
  ~ControlThread() { Stop(); }

  // From now on the controller belongs to the thread.
  void Start();
  // Tasks that have not run are dropped. Idempotent.
  void Stop();

  // Dropped after Stop().
  void Post(Task task) ABSL_LOCKS_EXCLUDED(mutex_);
  void PostAt(absl::Time time, Task task) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  // What is to run now, oldest first; waits for it until `deadline`.
  std::deque<Task> Next(absl::Time deadline) ABSL_LOCKS_EXCLUDED(mutex_);

  Controller& controller_;
  const Clock& clock_;
  std::thread thread_;

  Mutex mutex_;
  CondVar changed_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<Task> tasks_ ABSL_GUARDED_BY(mutex_);
  std::multimap<absl::Time, Task> timers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace mesh::router
