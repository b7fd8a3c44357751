// SPDX-License-Identifier: Apache-2.0
#pragma once

// clang-format off: Boost 1.74 needs it before Asio
#include <utility>
// clang-format on

#include <boost/asio/ssl/context.hpp>
#include <memory>

#include "absl/container/flat_hash_set.h"
#include "absl/time/time.h"
#include "core/clock.h"
#include "core/mutex.h"
#include "gateway/http/byte_budget.h"
#include "gateway/http/http_output.h"
#include "gateway/http/http_server.h"
#include "gateway/http/http_workers.h"
#include "gateway/net/acceptor.h"
#include "gateway/net/io_thread.h"

namespace mesh::gateway {

// Answers that are being made, for whoever waits for the last. Thread-safe.
class PendingAnswers {
 public:
  explicit PendingAnswers(HttpCounters& counters) : counters_(counters) {}

  void Begin();
  void End();
  // After this, WaitForNone() may return.
  void NoMoreWillBegin();
  void WaitForNone(absl::Duration limit);

 private:
  HttpCounters& counters_;
  Mutex mutex_;
  CondVar changed_;
  int num_pending_ ABSL_GUARDED_BY(mutex_) = 0;
  bool is_last_ ABSL_GUARDED_BY(mutex_) = false;
};

// What the connections of one server share; outlives them.
struct HttpEnvironment {
  HttpEnvironment(const HttpServerOptions& server_options, HttpHandler& handler,
                  const Clock& server_clock)
      : options(server_options),
        clock(server_clock),
        workers(handler, options.num_workers, options.max_waiting_requests) {}

  const HttpServerOptions options;
  const Clock& clock;
  const std::shared_ptr<IoThread> io = std::make_shared<IoThread>();
  std::shared_ptr<boost::asio::ssl::context> tls;  // null: plaintext
  HttpCounters counters;
  PendingAnswers pending{counters};
  ByteBudget body_bytes{options.max_pending_body_bytes};
  HttpWorkers workers;

  // Of the io thread.
  absl::flat_hash_set<HttpOutput*> connections;
  bool is_draining = false;
};

// Serves one connection until it ends: http_session.cc. On the io thread.
void ServeHttp(HttpEnvironment& environment, AcceptedConnection connection);

}  // namespace mesh::gateway
