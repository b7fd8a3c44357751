// SPDX-License-Identifier: Apache-2.0
#include "gateway/http/http_workers.h"

#include <utility>

namespace mesh::gateway {

HttpWorkers::HttpWorkers(HttpHandler& handler, int num_threads,
                         size_t max_waiting)
    : handler_(handler), num_threads_(num_threads), max_waiting_(max_waiting) {}

void HttpWorkers::Start() {
  for (int i = 0; i < num_threads_; ++i) {
    threads_.emplace_back([this] { Run(); });
  }
}

void HttpWorkers::Stop() {
  std::deque<Task> dropped;
  {
    MutexLock lock(mutex_);
    stopped_ = true;
    dropped.swap(waiting_);
    changed_.NotifyAll();
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

bool HttpWorkers::TryPost(HttpRequest request, ByteBudget::Hold held,
                          std::shared_ptr<Responder> responder) {
  MutexLock lock(mutex_);
  if (stopped_ || waiting_.size() >= max_waiting_) return false;
  waiting_.push_back(
      {std::move(request), std::move(held), std::move(responder)});
  changed_.NotifyOne();
  return true;
}

void HttpWorkers::Run() {
  for (;;) {
    Task task;
    {
      MutexLock lock(mutex_);
      while (waiting_.empty() && !stopped_) changed_.Wait(mutex_);
      if (stopped_) return;
      task = std::move(waiting_.front());
      waiting_.pop_front();
    }
    handler_.Handle(std::move(task.request), std::move(task.responder));
  }
}

}  // namespace mesh::gateway
