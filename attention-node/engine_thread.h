// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <thread>
#include <utility>

#include "attention-node/engine.h"

namespace mesh::attention {

// The thread that runs an engine's steps.
class EngineThread {
 public:
  // Called on the engine thread; each may be empty.
  struct Hooks {
    std::function<void()> before_step = {};
    // `more`: whether streams are left. Also after the last ones have failed.
    std::function<void(bool more)> after_step = {};
    // While there are no streams: sleeps and works on other things, until the
    // engine's waker is called or before. If empty, the thread sleeps.
    std::function<void()> idle = {};
  };

  explicit EngineThread(Engine& engine) : engine_(engine) {}
  EngineThread(Engine& engine, Hooks hooks)
      : engine_(engine), hooks_(std::move(hooks)) {}
  ~EngineThread() { Stop(); }
  EngineThread(const EngineThread&) = delete;
  EngineThread& operator=(const EngineThread&) = delete;

  // REQUIRES: not started.
  void Start();
  // Closes the engine, lets the current step end, fails what still runs with
  // kUnavailable, and joins. Idempotent.
  void Stop();

 private:
  void Run();
  // False once the engine is closed.
  bool WaitForWork();

  Engine& engine_;
  const Hooks hooks_;
  std::thread thread_;
};

}  // namespace mesh::attention
