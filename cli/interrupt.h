// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace mesh::cli {

// While alive, Ctrl-C is noted instead of ending the process. One at a time,
// on the main thread: a signal handler can only reach a static flag.
class ScopedInterrupt {
 public:
  ScopedInterrupt();
  ~ScopedInterrupt();
  ScopedInterrupt(const ScopedInterrupt&) = delete;
  ScopedInterrupt& operator=(const ScopedInterrupt&) = delete;

  bool Noted() const;
  void Forget();
};

}  // namespace mesh::cli
