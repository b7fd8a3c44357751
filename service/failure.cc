// SPDX-License-Identifier: Apache-2.0
#include "service/failure.h"

#include <signal.h>
#include <unistd.h>

namespace mesh::service {

void Failure::Set(const absl::Status& status) {
  {
    const MutexLock lock(mutex_);
    status_ = status;
  }
  kill(getpid(), SIGTERM);
}

absl::Status Failure::Get() const {
  const MutexLock lock(mutex_);
  return status_;
}

}  // namespace mesh::service
