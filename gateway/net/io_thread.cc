// SPDX-License-Identifier: Apache-2.0
#include "gateway/net/io_thread.h"

namespace mesh::gateway {

void IoThread::Start() {
  thread_ = std::thread([this] { context_.run(); });
}

void IoThread::Stop() {
  work_.reset();
  if (thread_.joinable()) thread_.join();
  {
    MutexLock lock(mutex_);
    stopped_ = true;
  }
  // What came in after the thread had found nothing left.
  context_.restart();
  context_.run();
}

}  // namespace mesh::gateway
