// SPDX-License-Identifier: Apache-2.0
#include "gateway/grpc_port/guarded_connection.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <memory>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "gateway/grpc_port/client_address.h"
#include "gateway/grpc_port/socket_pair.h"

namespace mesh::gateway {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using SteadyClock = std::chrono::steady_clock;

// Of one direction; a frame of gRPC's and its header fit in.
constexpr size_t kBufferBytes = 32 << 10;
// For the rest of a frame, GOAWAY, and the client's own end.
constexpr std::chrono::seconds kGoodbyeLimit{1};
// For gRPC to notice that its client has left.
constexpr std::chrono::seconds kServerCloseLimit{10};
constexpr size_t kMaxDiscardedBytes = 256 << 10;
constexpr uint32_t kAnyStream = 0x7fffffff;
constexpr absl::string_view kIdleDebug =
    "no call for a while: connect again for the next";

std::unique_ptr<uint8_t[]> MakeBuffer() {
  return std::make_unique_for_overwrite<uint8_t[]>(kBufferBytes);
}

SteadyClock::duration ToChrono(absl::Duration duration) {
  return absl::ToChronoNanoseconds(duration);
}

std::span<const uint8_t> AsBytes(absl::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

auto Into(error_code& error) {
  return asio::redirect_error(asio::use_awaitable, error);
}

}  // namespace

template <typename Stream>
GuardedConnection<Stream>::GuardedConnection(Stream stream, std::string address,
                                             ConnectionLimits::Permit permit,
                                             PortContext& context)
    : context_(context),
      client_(std::move(stream)),
      server_(client_.get_executor()),
      address_(std::move(address)),
      permit_(std::move(permit)),
      scanner_(context.options.frames, context.clock),
      timer_(client_.get_executor()),
      preface_deadline_(SteadyClock::now() +
                        ToChrono(context.options.preface_deadline)),
      idle_since_(SteadyClock::now()) {}

template <typename Stream>
GuardedConnection<Stream>::~GuardedConnection() {
  if (reason_.has_value()) context_.counters.CountClosed(*reason_);
}

template <typename Stream>
void GuardedConnection<Stream>::Start() {
  error_code ignored;
  client_.lowest_layer().set_option(asio::ip::tcp::no_delay(true), ignored);
  const auto self = this->shared_from_this();
  const auto executor = client_.get_executor();
  asio::co_spawn(
      executor, [self] { return self->Watch(); }, asio::detached);
  asio::co_spawn(
      executor, [self] { return self->Run(); }, asio::detached);
}

template <typename Stream>
auto GuardedConnection<Stream>::Run() -> Awaitable<void> {
  if (!co_await Handshake()) {
    Close(CloseReason::kHandshake);
    co_return;
  }
  const std::string greeting = co_await AwaitGreeting();
  if (greeting.empty()) co_return;
  if (!ConnectToServer()) co_return;
  error_code error;
  co_await asio::async_write(server_, asio::buffer(greeting), Into(error));
  const auto self = this->shared_from_this();
  asio::co_spawn(
      client_.get_executor(), [self] { return self->ForwardClient(); },
      asio::detached);
  co_await ForwardServer();
}

template <typename Stream>
auto GuardedConnection<Stream>::Handshake() -> Awaitable<bool> {
  error_code error;
  if constexpr (std::is_same_v<Stream, TlsClient>) {
    co_await client_.async_handshake(asio::ssl::stream_base::server,
                                     Into(error));
  }
  co_return !error;
}

template <typename Stream>
auto GuardedConnection<Stream>::AwaitGreeting() -> Awaitable<std::string> {
  const auto buffer = MakeBuffer();
  std::string greeting;
  while (!scanner_.Greeted()) {
    error_code error;
    const size_t size = co_await client_.async_read_some(
        asio::buffer(buffer.get(), kBufferBytes), Into(error));
    if (error) {
      Close(CloseReason::kClient);
      co_return "";
    }
    const std::span<const uint8_t> bytes(buffer.get(), size);
    scanner_.ScanClient(bytes);
    if (scanner_.Fault().has_value()) {
      co_await Refuse();
      co_return "";
    }
    greeting.append(bytes.begin(), bytes.end());
  }
  NoteStreams();
  timer_.cancel();  // another deadline is next
  co_return greeting;
}

template <typename Stream>
auto GuardedConnection<Stream>::Refuse() -> Awaitable<void> {
  fault_ = scanner_.Fault();
  reason_ = fault_->reason;
  if (fault_->reason != CloseReason::kNotHttp2) {
    std::string settings;  // a server's first frame
    AppendFrameHeader({.type = FrameType::kSettings}, &settings);
    co_await WriteToClient(AsBytes(settings));
    co_await SayGoodbye();
    co_await DiscardClient();
  }
  Close(fault_->reason);
}

template <typename Stream>
bool GuardedConnection<Stream>::ConnectToServer() {
  const absl::StatusOr<SocketPair> pair = MakeSocketPair(NameOfClient(
      address_, absl::StrCat(context_.unique, ".", ++context_.num_named)));
  if (!pair.ok()) {
    Close(CloseReason::kNoDescriptors);
    return false;
  }
  error_code error;
  server_.assign(Local(), pair->ours, error);
  context_.server.Take(pair->theirs);
  return true;
}

template <typename Stream>
auto GuardedConnection<Stream>::ForwardClient() -> Awaitable<void> {
  const auto buffer = MakeBuffer();
  while (!fault_.has_value()) {
    error_code error;
    const size_t size = co_await client_.async_read_some(
        asio::buffer(buffer.get(), kBufferBytes), Into(error));
    if (error) {
      OnClientEnd(error == asio::error::eof);
      co_return;
    }
    scanner_.ScanClient({buffer.get(), size});
    if (scanner_.Fault().has_value()) {
      // What came before it in this piece would be cancelled anyway.
      EndWith(*scanner_.Fault());
      break;
    }
    NoteStreams();
    if (!co_await WriteToServer({buffer.get(), size})) break;
  }
  co_await DiscardClient();
  FinishDirection();
}

template <typename Stream>
void GuardedConnection<Stream>::OnClientEnd(bool may_read) {
  if (!may_read) return Close(CloseReason::kClient);
  SetClosing(CloseReason::kClient, SteadyClock::now() + kServerCloseLimit);
  error_code ignored;
  server_.shutdown(Local::socket::shutdown_send, ignored);
  FinishDirection();
}

template <typename Stream>
auto GuardedConnection<Stream>::ForwardServer() -> Awaitable<void> {
  const auto buffer = MakeBuffer();
  while (!fault_.has_value() || !scanner_.ServerAtBoundary()) {
    if (retiring_ == Retiring::kWanted && scanner_.ServerAtBoundary()) {
      retiring_ = Retiring::kSaid;
      const std::string goaway =
          EncodeGoaway(kAnyStream, Http2Error::kNoError, kIdleDebug);
      if (!co_await WriteToClient(AsBytes(goaway))) break;
    }
    error_code error;
    const size_t size = co_await server_.async_read_some(
        asio::buffer(buffer.get(), kBufferBytes), Into(error));
    if (error && MayGoOn(error)) continue;
    if (error) break;
    scanner_.ObserveServer({buffer.get(), size});
    NoteStreams();
    if (scanner_.Fault().has_value()) EndWith(*scanner_.Fault());
    if (!co_await WriteToClient({buffer.get(), size})) {
      Close(CloseReason::kClient);
      co_return;
    }
  }
  co_await SayGoodbye();
  FinishDirection();
}

template <typename Stream>
bool GuardedConnection<Stream>::MayGoOn(const error_code& error) const {
  return error == asio::error::operation_aborted && !fault_.has_value() &&
         !closed_;
}

template <typename Stream>
auto GuardedConnection<Stream>::WriteToServer(std::span<const uint8_t> bytes)
    -> Awaitable<bool> {
  while (!bytes.empty()) {
    error_code error;
    const size_t size = co_await server_.async_write_some(
        asio::buffer(bytes.data(), bytes.size()), Into(error));
    bytes = bytes.subspan(size);
    if (error && !MayGoOn(error)) co_return false;
  }
  co_return true;
}

template <typename Stream>
auto GuardedConnection<Stream>::WriteToClient(std::span<const uint8_t> bytes)
    -> Awaitable<bool> {
  // By piece, so that a slow client is not taken for one that has stopped.
  while (!bytes.empty()) {
    error_code error;
    writing_since_ = SteadyClock::now();
    const size_t size = co_await client_.async_write_some(
        asio::buffer(bytes.data(), bytes.size()), Into(error));
    writing_since_.reset();
    if (error) co_return false;
    bytes = bytes.subspan(size);
  }
  co_return true;
}

template <typename Stream>
auto GuardedConnection<Stream>::SayGoodbye() -> Awaitable<void> {
  SetClosing(CloseReason::kServer, SteadyClock::now() + kGoodbyeLimit);
  if (fault_.has_value() && scanner_.ServerAtBoundary()) {
    const std::string goaway =
        EncodeGoaway(scanner_.LastStream(), fault_->error, fault_->debug);
    co_await WriteToClient(AsBytes(goaway));
  }
  error_code ignored;
  client_.lowest_layer().shutdown(PlainClient::shutdown_send, ignored);
}

template <typename Stream>
auto GuardedConnection<Stream>::DiscardClient() -> Awaitable<void> {
  const auto buffer = MakeBuffer();
  error_code error;
  size_t discarded = 0;
  while (!error && discarded < kMaxDiscardedBytes) {
    discarded += co_await client_.async_read_some(
        asio::buffer(buffer.get(), kBufferBytes), Into(error));
  }
}

template <typename Stream>
void GuardedConnection<Stream>::EndWith(const ScanFault& fault) {
  if (fault_.has_value() || closed_) return;
  fault_ = fault;
  SetClosing(fault.reason, SteadyClock::now() + kGoodbyeLimit);
  error_code ignored;
  server_.shutdown(Local::socket::shutdown_send, ignored);
  // Whoever waits for the server's next frame need not.
  if (scanner_.ServerAtBoundary()) server_.cancel(ignored);
}

template <typename Stream>
void GuardedConnection<Stream>::NoteStreams() {
  if (scanner_.NumOpenStreams() > 0)
    idle_since_ = TimePoint::max();
  else if (idle_since_ == TimePoint::max())
    idle_since_ = SteadyClock::now();
}

template <typename Stream>
auto GuardedConnection<Stream>::Watch() -> Awaitable<void> {
  while (!closed_) {
    timer_.expires_at(NextDeadline());
    error_code ignored;  // of a deadline that came nearer
    co_await timer_.async_wait(Into(ignored));
    if (!closed_) CheckDeadlines();
  }
}

template <typename Stream>
auto GuardedConnection<Stream>::NextDeadline() const -> TimePoint {
  if (closing_deadline_.has_value()) return *closing_deadline_;
  if (!scanner_.Greeted()) return preface_deadline_;
  // Neither of them can pass unseen by more than half of itself.
  return SteadyClock::now() +
         std::min(IdleLimit(), ToChrono(context_.options.stall_limit)) / 2;
}

template <typename Stream>
void GuardedConnection<Stream>::CheckDeadlines() {
  const TimePoint now = SteadyClock::now();
  if (closing_deadline_.has_value()) {
    if (now >= *closing_deadline_) Close(CloseReason::kServer);
    return;
  }
  if (!scanner_.Greeted()) {
    if (now >= preface_deadline_) Close(CloseReason::kPrefaceDeadline);
    return;
  }
  if (writing_since_.has_value() &&
      now - *writing_since_ >= ToChrono(context_.options.stall_limit)) {
    Close(CloseReason::kStalled);
  } else if (idle_since_ < now && now - idle_since_ >= IdleLimit()) {
    Retire();
  }
}

template <typename Stream>
auto GuardedConnection<Stream>::IdleLimit() const -> Duration {
  const Duration limit = ToChrono(context_.options.idle_limit);
  // A client that has been told has left by then, or opened a last stream.
  return retiring_ == Retiring::kNo ? limit
                                    : std::min<Duration>(limit, kGoodbyeLimit);
}

// RFC 9113, 6.8: what the client sends before it knows is still served.
template <typename Stream>
void GuardedConnection<Stream>::Retire() {
  if (retiring_ != Retiring::kNo) {
    return EndWith(
        {CloseReason::kIdle, Http2Error::kNoError, std::string(kIdleDebug)});
  }
  retiring_ = Retiring::kWanted;
  reason_ = CloseReason::kIdle;
  idle_since_ = SteadyClock::now();
  error_code ignored;
  server_.cancel(ignored);  // both directions go on
}

template <typename Stream>
void GuardedConnection<Stream>::SetClosing(CloseReason reason,
                                           TimePoint deadline) {
  if (!reason_.has_value()) reason_ = reason;
  if (!closing_deadline_.has_value()) closing_deadline_ = deadline;
  timer_.cancel();
}

template <typename Stream>
void GuardedConnection<Stream>::FinishDirection() {
  if (++num_finished_ == 2) Close(CloseReason::kServer);
}

template <typename Stream>
void GuardedConnection<Stream>::Close(CloseReason reason) {
  if (!reason_.has_value()) reason_ = reason;
  closed_ = true;
  error_code ignored;
  client_.lowest_layer().close(ignored);
  server_.close(ignored);
  timer_.cancel();
}

template class GuardedConnection<PlainClient>;
template class GuardedConnection<TlsClient>;

}  // namespace mesh::gateway
