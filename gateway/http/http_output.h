// SPDX-License-Identifier: Apache-2.0
#pragma once

// clang-format off: Boost 1.74 needs it before Asio
#include <utility>
// clang-format on

#include <boost/system/error_code.hpp>
#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "gateway/net/io_thread.h"
#include "gateway/net/socket_stream.h"

namespace mesh::gateway {

// Sends pieces over one connection in order, as fast as its client takes them.
// Owned by the io thread; must be in a shared_ptr. Callbacks are called from
// its completions, never from within Send().
class HttpOutput : public std::enable_shared_from_this<HttpOutput> {
 public:
  using Clock = std::chrono::steady_clock;
  using Done = std::function<void(bool ok)>;

  HttpOutput(std::shared_ptr<IoThread> io, SocketStream::Socket socket,
             boost::asio::ssl::context* tls)
      : io_(std::move(io)), stream_(std::move(socket), tls) {}

  SocketStream& Stream() { return stream_; }

  // `done` may be null; it is called once all bytes have been given to the
  // kernel, or will not be.
  void Send(std::string bytes, Done done);

  bool IsIdle() const { return pieces_.empty(); }
  // When the client last took something, or was last given something to take
  // after a pause.
  Clock::time_point LastProgress() const { return last_progress_; }

  // Closes the connection; what has not been sent fails.
  void Close() { End(false); }
  // Forgets as well what the kernel still holds for the client.
  void Reset() { End(true); }
  bool IsClosed() const { return closed_; }

 private:
  struct Piece {
    std::string bytes;
    Done done;
  };

  void WriteSome();
  void OnWritten(const boost::system::error_code& error, size_t num_bytes);
  void End(bool reset);
  void FailAll();

  const std::shared_ptr<IoThread> io_;  // before what uses it
  SocketStream stream_;
  std::deque<Piece> pieces_;
  size_t offset_ = 0;  // sent of the first piece
  bool writing_ = false;
  bool closed_ = false;
  Clock::time_point last_progress_ = Clock::now();
};

}  // namespace mesh::gateway
