// SPDX-License-Identifier: Apache-2.0
#include "gateway/http/http_session.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>

#include "gateway/http/http_responder.h"

namespace mesh::gateway {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using std::chrono::steady_clock;

constexpr HttpError kTimedOut = {408, "request_timeout",
                                 "the request did not arrive in time"};
constexpr HttpError kShuttingDown = {
    503, "shutting_down", "this server is shutting down; try another"};
constexpr HttpError kOverloaded = {503, "overloaded",
                                   "too many requests wait; try again later"};

constexpr char kContinue[] = "HTTP/1.1 100 Continue\r\n\r\n";
// How TLS begins, on a port where nobody can answer it.
constexpr char kTlsHandshake = 0x16;
// What a connection keeps of its buffer between two requests.
constexpr size_t kIdleBytes = 4096;
// How often a client is looked after while nothing is read from it.
constexpr std::chrono::milliseconds kHangUpInterval{250};

steady_clock::duration ToSteady(absl::Duration duration) {
  // "For ever" must not overflow.
  return absl::ToChronoNanoseconds(std::min(duration, absl::Hours(24 * 365)));
}

}  // namespace

void ServeHttp(HttpEnvironment& environment, AcceptedConnection connection) {
  std::make_shared<HttpSession>(environment, std::move(connection))->Start();
}

HttpSession::HttpSession(HttpEnvironment& environment,
                         AcceptedConnection connection)
    : environment_(environment),
      options_(environment.options),
      permit_(std::move(connection.permit)),
      peer_(std::move(connection.address)),
      output_(std::make_shared<HttpOutput>(
          environment.io, std::move(connection.socket), environment.tls.get())),
      wake_(environment.io->Context()) {
  environment_.connections.insert(output_.get());
  error_code ignored;
  SocketStream::Socket& socket = output_->Stream().Raw();
  socket.set_option(asio::ip::tcp::no_delay(true), ignored);
  socket.set_option(asio::socket_base::keep_alive(true), ignored);
  socket.set_option(
      asio::socket_base::send_buffer_size(options_.send_buffer_bytes), ignored);
}

HttpSession::~HttpSession() { environment_.connections.erase(output_.get()); }

void HttpSession::Start() {
  asio::co_spawn(
      environment_.io->Context(),
      [self = shared_from_this()] { return self->Serve(); }, asio::detached);
}

HttpSession::Awaitable<void> HttpSession::Serve() {
  const std::shared_ptr<HttpSession> self = shared_from_this();
  if (co_await Handshake()) {
    Read();
    while (co_await ServeRequest()) is_first_ = false;
    co_await Linger();
  }
  output_->Close();
}

HttpSession::Awaitable<bool> HttpSession::Handshake() {
  if (!output_->Stream().IsTls()) co_return true;
  wake_.expires_after(ToSteady(options_.tls_handshake_timeout));
  wake_.async_wait([self = shared_from_this()](const error_code& error) {
    if (!error) self->output_->Close();
  });
  error_code error;
  co_await output_->Stream().Handshake(
      asio::redirect_error(asio::use_awaitable, error));
  Wake();
  co_return !error && !output_->IsClosed();
}

HttpSession::Awaitable<bool> HttpSession::ServeRequest() {
  std::optional<HttpHead> head = co_await ReadHead();
  if (!head) co_return false;
  std::optional<Body> body = co_await ReadBody(*head);
  if (!body) co_return false;
  co_return co_await Answer(*std::move(head), *std::move(body));
}

HttpSession::Awaitable<std::optional<HttpHead>> HttpSession::ReadHead() {
  HttpHeadParser parser(options_.head);
  if (incoming_.empty() && incoming_.capacity() > kIdleBytes) {
    incoming_.shrink_to_fit();
  }
  TimePoint deadline =
      steady_clock::now() +
      ToSteady(is_first_ ? options_.head_timeout : options_.idle_timeout);
  bool has_started = false;
  for (;;) {
    if (!has_started && !incoming_.empty()) {
      if (incoming_.front() == kTlsHandshake) co_return std::nullopt;
      has_started = true;
      if (!is_first_) {
        deadline = steady_clock::now() + ToSteady(options_.head_timeout);
      }
    }
    incoming_.erase(0, parser.Feed(incoming_));
    if (parser.Error()) {
      co_await Refuse(*parser.Error());
      co_return std::nullopt;
    }
    if (parser.Done()) co_return parser.Take();
    if (has_ended_) co_return std::nullopt;
    Read();
    if (!co_await Wait(deadline)) {
      if (has_started) co_await Refuse(kTimedOut);
      co_return std::nullopt;
    }
  }
}

HttpSession::Awaitable<std::optional<HttpSession::Body>> HttpSession::ReadBody(
    const HttpHead& head) {
  AnswerFramer framer(head);
  framer.ForbidKeepAlive();
  HttpBodyParser parser(head, options_.body);
  ByteBudget::Hold held(environment_.body_bytes);
  if (environment_.is_draining) {
    co_await Refuse(kShuttingDown, framer);
    co_return std::nullopt;
  }
  if (head.expects_continue && incoming_.empty() && !parser.Error() &&
      !parser.Done()) {
    output_->Send(kContinue, nullptr);
  }
  TimePoint deadline = steady_clock::now() + ToSteady(options_.body_grace);
  for (;;) {
    if (!parser.Error() && !parser.Done()) {
      if (!held.Grow(incoming_.size())) {
        co_await Refuse(kOverloaded, framer);
        co_return std::nullopt;
      }
      const size_t num_bytes = parser.Feed(incoming_);
      incoming_.erase(0, num_bytes);
      deadline += ToSteady(absl::Seconds(static_cast<double>(num_bytes) /
                                         options_.min_body_bytes_per_second));
    }
    if (parser.Error()) {
      co_await Refuse(*parser.Error(), framer);
      co_return std::nullopt;
    }
    if (parser.Done()) co_return Body{parser.Take(), std::move(held)};
    if (has_ended_) co_return std::nullopt;
    Read();
    if (!co_await Wait(deadline)) {
      co_await Refuse(kTimedOut, framer);
      co_return std::nullopt;
    }
  }
}

HttpSession::Awaitable<bool> HttpSession::Answer(HttpHead head, Body body) {
  if (environment_.is_draining) {
    AnswerFramer framer(head);
    framer.ForbidKeepAlive();
    co_await Refuse(kShuttingDown, framer);
    co_return false;
  }
  environment_.pending.Begin();
  exchange_ = Dispatch(std::move(head), std::move(body));
  Read();
  co_await Watch();
  if (exchange_->WasLost()) ++environment_.counters.disconnects;
  const bool keeps_connection = exchange_->KeepsConnection();
  exchange_ = nullptr;
  environment_.pending.End();
  co_return keeps_connection && !has_ended_;
}

std::shared_ptr<HttpExchange> HttpSession::Dispatch(HttpHead head, Body body) {
  auto exchange = std::make_shared<HttpExchange>(
      output_, AnswerFramer(head), environment_.clock,
      [weak = weak_from_this()] {
        if (const auto self = weak.lock()) self->Wake();
      });
  HttpRequest request = {std::move(head.method), std::move(head.path),
                         std::move(head.query),  std::move(head.headers),
                         std::move(body.bytes),  peer_};
  auto responder = std::make_shared<HttpResponder>(environment_.io, exchange);
  if (environment_.workers.TryPost(std::move(request), std::move(body.held),
                                   std::move(responder))) {
    ++environment_.counters.requests;
  } else {
    ++environment_.counters.overloaded;
    exchange->Respond(ErrorResponse(kOverloaded));
  }
  return exchange;
}

HttpSession::Awaitable<void> HttpSession::Watch() {
  while (!exchange_->IsFinished()) {
    const TimePoint now = steady_clock::now();
    if (IsLost(now)) {
      exchange_->ConnectionLost();
      co_return;
    }
    if (has_ended_ && !leaves_at_) {
      leaves_at_ = now + ToSteady(options_.linger_timeout);
      exchange_->ClientLeft();
      continue;
    }
    if (exchange_->IsStreaming() && output_->IsIdle() &&
        now - exchange_->LastSent() >= ToSteady(options_.keep_alive_interval)) {
      exchange_->SendKeepAlive();
    }
    co_await Wait(NextCheck(now));
  }
}

bool HttpSession::IsLost(TimePoint now) {
  if (is_broken_ || output_->IsClosed()) return true;
  if (leaves_at_ && now >= *leaves_at_) return true;
  // Nothing is read while too much has been: the end would go unseen.
  if (!is_reading_ && !has_ended_ && output_->Stream().HasHungUp()) return true;
  if (output_->IsIdle() ||
      now - output_->LastProgress() < ToSteady(options_.write_timeout)) {
    return false;
  }
  ++environment_.counters.slow_readers;
  output_->Reset();
  return true;
}

// What begins after `now` is due later than what is returned here.
HttpSession::TimePoint HttpSession::NextCheck(TimePoint now) const {
  TimePoint next = (output_->IsIdle() ? now : output_->LastProgress()) +
                   ToSteady(options_.write_timeout);
  const auto interval = ToSteady(options_.keep_alive_interval);
  const bool may_be_silent = exchange_->IsStreaming() && output_->IsIdle();
  next =
      std::min(next, (may_be_silent ? exchange_->LastSent() : now) + interval);
  if (leaves_at_) next = std::min(next, *leaves_at_);
  if (!is_reading_ && !has_ended_) next = std::min(next, now + kHangUpInterval);
  return next;
}

HttpSession::Awaitable<void> HttpSession::Refuse(HttpError error,
                                                 AnswerFramer framer) {
  HttpCounters& counters = environment_.counters;
  ++(error.status == 408   ? counters.timed_out
     : error.status == 503 ? counters.overloaded
                           : counters.refused);
  bool is_over = false;
  output_->Send(framer.Whole(ErrorResponse(error), environment_.clock.Now()),
                [this, self = shared_from_this(), &is_over](bool /*ok*/) {
                  is_over = true;
                  Wake();
                });
  const TimePoint deadline =
      steady_clock::now() + ToSteady(options_.write_timeout);
  while (!is_over) {
    // What waits to be sent refers to this frame: it ends first.
    if (!co_await Wait(deadline)) output_->Reset();
  }
}

// Closing at once would make the kernel take back an answer that the client has
// not read, because of what it has sent meanwhile.
HttpSession::Awaitable<void> HttpSession::Linger() {
  is_discarding_ = true;
  incoming_.clear();
  if (output_->IsClosed() || has_ended_) co_return;
  output_->Stream().EndWriting(output_);
  Read();
  const TimePoint deadline =
      steady_clock::now() + ToSteady(options_.linger_timeout);
  while (!has_ended_) {
    if (!co_await Wait(deadline)) co_return;
  }
}

HttpSession::Awaitable<bool> HttpSession::Wait(TimePoint deadline) {
  error_code error;
  wake_.expires_at(deadline);
  co_await wake_.async_wait(asio::redirect_error(asio::use_awaitable, error));
  co_return error == asio::error::operation_aborted;
}

void HttpSession::Wake() { wake_.cancel(); }

void HttpSession::Read() {
  if (is_reading_ || has_ended_ ||
      incoming_.size() >= options_.max_read_ahead_bytes) {
    return;
  }
  is_reading_ = true;
  output_->Stream().ReadSome(
      asio::buffer(read_buffer_),
      [self = shared_from_this()](const error_code& error, size_t num_bytes) {
        self->OnRead(error, num_bytes);
      });
}

void HttpSession::OnRead(const error_code& error, size_t num_bytes) {
  is_reading_ = false;
  if (error) {
    has_ended_ = true;
    is_broken_ = error != asio::error::eof;
  } else {
    if (!is_discarding_) incoming_.append(read_buffer_.data(), num_bytes);
    Read();
  }
  Wake();
}

}  // namespace mesh::gateway
