// SPDX-License-Identifier: Apache-2.0
#pragma once

// clang-format off: Boost 1.74 needs it before Asio
#include <utility>
// clang-format on

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <memory>
#include <thread>

#include "core/mutex.h"

namespace mesh::gateway {

// One thread that runs everything of one door, and a way to hand it work that
// stays safe when the door has been closed. Thread-safe. What uses the context
// holds a reference to this.
class IoThread {
 public:
  IoThread() : work_(context_.get_executor()) {}
  // REQUIRES: Stop(), if Start() was called.
  ~IoThread() = default;

  void Start();

  // Returns once there is nothing left to do. REQUIRES: the sockets and timers
  // have been closed, or will be by what was posted; not the thread itself.
  void Stop();

  boost::asio::io_context& Context() { return context_; }

  // Runs `task` on the thread, after all that was posted before, by whichever
  // thread; drops it after Stop(). True if it will run.
  template <typename Task>
  bool Post(Task task) {
    MutexLock lock(mutex_);
    if (stopped_) return false;
    boost::asio::post(context_, std::move(task));
    return true;
  }

 private:
  // Does not know that it has one thread: what that posts itself would be put
  // off, and overtaken by what others post later.
  boost::asio::io_context context_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type>
      work_;
  std::thread thread_;
  Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace mesh::gateway
