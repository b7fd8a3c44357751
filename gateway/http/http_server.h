// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/clock.h"
#include "gateway/http/http_body.h"
#include "gateway/http/http_head.h"
#include "gateway/http/responder.h"
#include "gateway/net/accept_counters.h"
#include "gateway/net/connection_limits.h"
#include "service/tls.h"

namespace mesh::gateway {

struct HttpServerOptions {
  std::string listen = "127.0.0.1:0";  // host:port; port 0: any free one
  std::string flag = "--http-listen";  // the one that set it, for errors
  service::TlsOptions tls = {};
  bool require_client_certificate = false;
  bool insecure_lab = false;  // allows plaintext beyond loopback

  ConnectionLimits::Options connections = {};
  HttpHeadLimits head = {};
  HttpBodyLimits body = {};
  // The bodies of all requests that are being read or wait for a worker.
  size_t max_pending_body_bytes = 256 << 20;
  // What a connection may send ahead of the answer to what it sent before.
  size_t max_read_ahead_bytes = 64 << 10;
  // What the kernel holds of an answer that its client does not read.
  int send_buffer_bytes = 64 << 10;

  absl::Duration tls_handshake_timeout = absl::Seconds(5);
  absl::Duration head_timeout = absl::Seconds(5);
  // A body must come at this rate, once the first moments are over.
  double min_body_bytes_per_second = 1024;
  absl::Duration body_grace = absl::Seconds(2);
  // Between two requests of one connection.
  absl::Duration idle_timeout = absl::Seconds(60);
  // How long a client may read nothing of what is ready for it.
  absl::Duration write_timeout = absl::Seconds(30);
  // How long a stream is silent before its keep-alive piece is sent.
  absl::Duration keep_alive_interval = absl::Seconds(10);
  // How long what a client still sends is read over after the last answer, so
  // that it gets to read that; also how long a client that has ended its side
  // waits for a short answer.
  absl::Duration linger_timeout = absl::Seconds(2);

  int num_workers = 2;  // threads that run the handler
  size_t max_waiting_requests = 1024;
};

// Since the start, for metrics. Thread-safe.
struct HttpCounters {
  std::atomic<uint64_t> requests = 0;         // given to the handler
  std::atomic<uint64_t> refused = 0;          // malformed or beyond a limit
  std::atomic<uint64_t> timed_out = 0;        // 408, or closed
  std::atomic<uint64_t> disconnects = 0;      // before the answer was sent
  std::atomic<uint64_t> slow_readers = 0;     // closed for not reading
  std::atomic<uint64_t> overloaded = 0;       // 503: no room, or shutting down
  std::atomic<uint64_t> answers_pending = 0;  // now
};

// HTTP/1.1 and 1.0 over TCP or TLS. One thread runs all connections, a few run
// the handler. Whatever a client sends, it gets an exact error and holds a
// bounded amount of memory for a bounded time.
class HttpServer {
 public:
  // Listens once it returns. `handler` and `clock` must outlive the server.
  // Errors: kInvalidArgument for an address that is malformed, not of this
  // machine, or beyond loopback without certificates; kAlreadyExists if the
  // port is taken; kPermissionDenied; those of service::ReadTls.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(
      const HttpServerOptions& options, HttpHandler& handler,
      const Clock& clock);

  // Stops. Responders may live on: they do nothing, and call nothing back.
  ~HttpServer();

  // host:port, with the port that was found for 0.
  const std::string& Address() const;
  const HttpCounters& Counters() const;
  const AcceptCounters& Accepted() const;
  int NumConnections() const;

  // Stops accepting; open connections get 503 for new requests. Returns when
  // all answers under way have been sent, or at the limit. Thread-safe.
  void Drain(absl::Duration limit);
  // Closes all connections; answers under way end as if their clients had gone
  // away. The counters can still be read meanwhile and afterwards. Not while
  // another thread drains.
  void Stop();

 private:
  class State;
  explicit HttpServer(std::unique_ptr<State> state);

  const std::unique_ptr<State> state_;
};

}  // namespace mesh::gateway
