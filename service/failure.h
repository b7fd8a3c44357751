// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "core/mutex.h"

namespace mesh::service {

// Why a server can never serve, as it says from one of its threads.
// Thread-safe.
class Failure {
 public:
  // Wakes whoever waits for ShutdownSignal, as if the process had been told to
  // end.
  void Set(const absl::Status& status);
  // OK: nothing was set.
  absl::Status Get() const;

 private:
  mutable Mutex mutex_;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace mesh::service
