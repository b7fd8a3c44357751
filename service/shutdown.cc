// SPDX-License-Identifier: Apache-2.0
#include "service/shutdown.h"

#include <csignal>

#include "core/check.h"

namespace mesh::service {
namespace {

sigset_t EndSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

}  // namespace

ShutdownSignal::ShutdownSignal() {
  const sigset_t signals = EndSignals();
  MESH_CHECK(pthread_sigmask(SIG_BLOCK, &signals, nullptr) == 0);
  // A reader that went away is an error of the write, not of the process.
  std::signal(SIGPIPE, SIG_IGN);
}

int ShutdownSignal::Wait() {
  const sigset_t signals = EndSignals();
  int signal = 0;
  MESH_CHECK(sigwait(&signals, &signal) == 0);
  std::signal(SIGTERM, SIG_DFL);
  std::signal(SIGINT, SIG_DFL);
  MESH_CHECK(pthread_sigmask(SIG_UNBLOCK, &signals, nullptr) == 0);
  return signal;
}

}  // namespace mesh::service
