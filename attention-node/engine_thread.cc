// SPDX-License-Identifier: Apache-2.0
#include "attention-node/engine_thread.h"

#include "absl/status/status.h"
#include "core/check.h"

namespace mesh::attention {

void EngineThread::Start() {
  MESH_CHECK(!thread_.joinable());
  thread_ = std::thread([this] { Run(); });
}

void EngineThread::Run() {
  while (WaitForWork()) {
    if (hooks_.before_step) hooks_.before_step();
    const bool more = engine_.Step();
    if (hooks_.after_step) hooks_.after_step(more);
  }
  engine_.FailAll(absl::UnavailableError("the engine stopped"));
  if (hooks_.after_step) hooks_.after_step(false);
}

bool EngineThread::WaitForWork() {
  while (hooks_.idle && !engine_.HasWork()) hooks_.idle();
  return engine_.WaitForWork();
}

void EngineThread::Stop() {
  if (!thread_.joinable()) return;
  engine_.Close();
  thread_.join();
}

}  // namespace mesh::attention
