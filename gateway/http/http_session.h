// SPDX-License-Identifier: Apache-2.0
#pragma once

// clang-format off: Boost 1.74 needs it before Asio
#include <utility>
// clang-format on

#include <array>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <optional>
#include <string>

#include "gateway/http/http_body.h"
#include "gateway/http/http_environment.h"
#include "gateway/http/http_exchange.h"
#include "gateway/http/http_head.h"
#include "gateway/http/http_output.h"
#include "gateway/net/acceptor.h"

namespace mesh::gateway {

// One connection: reads one request after the other, has each answered before
// it looks at the next, and watches meanwhile whether its client is still
// there. A coroutine follows the protocol; bytes arrive beside it and wake it.
// Owned by the io thread; lives as long as its coroutine.
class HttpSession : public std::enable_shared_from_this<HttpSession> {
 public:
  // `environment` outlives this.
  HttpSession(HttpEnvironment& environment, AcceptedConnection connection);
  ~HttpSession();

  void Start();

 private:
  using TimePoint = HttpOutput::Clock::time_point;
  template <typename T>
  using Awaitable = boost::asio::awaitable<T>;
  struct Body {
    std::string bytes;
    ByteBudget::Hold held;
  };

  // The protocol. What returns nothing or false ends the connection.
  Awaitable<void> Serve();
  Awaitable<bool> Handshake();
  Awaitable<bool> ServeRequest();
  Awaitable<std::optional<HttpHead>> ReadHead();
  Awaitable<std::optional<Body>> ReadBody(const HttpHead& head);
  Awaitable<bool> Answer(HttpHead head, Body body);
  Awaitable<void> Watch();
  Awaitable<void> Refuse(HttpError error, AnswerFramer framer = {});
  Awaitable<void> Linger();

  // Sleeps until something has happened, or until the deadline: false.
  Awaitable<bool> Wait(TimePoint deadline);
  void Wake();

  std::shared_ptr<HttpExchange> Dispatch(HttpHead head, Body body);
  // Whether the exchange is over for want of a client that reads.
  bool IsLost(TimePoint now);
  TimePoint NextCheck(TimePoint now) const;

  void Read();
  void OnRead(const boost::system::error_code& error, size_t num_bytes);

  HttpEnvironment& environment_;
  const HttpServerOptions& options_;
  const ConnectionLimits::Permit permit_;
  const std::string peer_;
  const std::shared_ptr<HttpOutput> output_;
  boost::asio::steady_timer wake_;
  std::shared_ptr<HttpExchange> exchange_;  // under way

  std::array<char, 4096> read_buffer_;
  std::string incoming_;  // read, and not used yet
  bool is_first_ = true;
  bool is_reading_ = false;
  bool is_discarding_ = false;
  bool has_ended_ = false;  // nothing more will be read
  bool is_broken_ = false;  // and nothing can be sent
  std::optional<TimePoint> leaves_at_;
};

}  // namespace mesh::gateway
