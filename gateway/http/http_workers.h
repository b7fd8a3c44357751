// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <thread>
#include <vector>

#include "core/mutex.h"
#include "gateway/http/byte_budget.h"
#include "gateway/http/responder.h"

namespace mesh::gateway {

// The threads that run a handler, and the bounded queue before them.
// Thread-safe.
class HttpWorkers {
 public:
  // `handler` must outlive this.
  HttpWorkers(HttpHandler& handler, int num_threads, size_t max_waiting);
  // REQUIRES: Stop(), if Start() was called.
  ~HttpWorkers() = default;

  void Start();
  // Returns when no handler runs any more; requests that wait are let go.
  void Stop();

  // `held` is what the request's body takes. False if the queue is full.
  bool TryPost(HttpRequest request, ByteBudget::Hold held,
               std::shared_ptr<Responder> responder);

 private:
  struct Task {
    HttpRequest request;
    ByteBudget::Hold held;  // until the handler has dealt with the request
    std::shared_ptr<Responder> responder;
  };

  void Run();

  HttpHandler& handler_;
  const int num_threads_;
  const size_t max_waiting_;
  std::vector<std::thread> threads_;
  Mutex mutex_;
  CondVar changed_;
  std::deque<Task> waiting_ ABSL_GUARDED_BY(mutex_);
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace mesh::gateway
