// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "core/clock.h"
#include "core/mutex.h"

namespace mesh::attention {

// The thread of a node for everything that is not on a token's path: it does
// what is due, and sleeps until the next time or a Wake().
class ControlThread {
 public:
  // `clock` is real and outlives the thread.
  explicit ControlThread(const Clock& clock) : clock_(clock) {}
  ~ControlThread() { Stop(); }
  ControlThread(const ControlThread&) = delete;
  ControlThread& operator=(const ControlThread&) = delete;

  // `work` does what is due, and returns when it wants to be called again.
  // REQUIRES: not started.
  void Start(std::function<absl::Time()> work);
  // Any thread, also before Start().
  void Wake();
  // Lets the work end, and joins. Idempotent.
  void Stop();

 private:
  void Run(const std::function<absl::Time()>& work);
  // False once stopped.
  bool SleepUntil(absl::Time next);

  const Clock& clock_;
  std::thread thread_;
  Mutex mutex_;
  CondVar changed_;
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace mesh::attention
