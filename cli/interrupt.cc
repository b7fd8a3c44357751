// SPDX-License-Identifier: Apache-2.0
#include "cli/interrupt.h"

#include <csignal>

namespace mesh::cli {
namespace {

volatile std::sig_atomic_t interrupted = 0;

void Note(int) { interrupted = 1; }

}  // namespace

ScopedInterrupt::ScopedInterrupt() {
  interrupted = 0;
  std::signal(SIGINT, Note);
}

ScopedInterrupt::~ScopedInterrupt() { std::signal(SIGINT, SIG_DFL); }

bool ScopedInterrupt::Noted() const { return interrupted != 0; }

void ScopedInterrupt::Forget() { interrupted = 0; }

}  // namespace mesh::cli
