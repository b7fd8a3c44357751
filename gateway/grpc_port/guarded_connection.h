// SPDX-License-Identifier: Apache-2.0
#pragma once

// clang-format off
#include <utility>  // Boost 1.74 needs it before Asio
// clang-format on

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "gateway/grpc_port/frame_scanner.h"
#include "gateway/grpc_port/grpc_port.h"
#include "gateway/grpc_port/port_counters.h"
#include "gateway/net/acceptor.h"
#include "service/connection_acceptor.h"

namespace mesh::gateway {

// What the connections of one port have in common; outlives them.
struct PortContext {
  const GuardedGrpcPort::Options options;
  service::ConnectionAcceptor& server;
  const Clock& clock;
  const std::string unique;  // this port's, on this machine
  PortCounters counters = {};
  uint64_t num_named = 0;  // socket pairs
};

// One client of a guarded port: its socket, gRPC's end's other end, and the
// bytes between them, at most one buffer a direction. Lives as long as one of
// its coroutines; they all run on the port's one thread. `Stream` is a TCP
// socket or TLS over one.
template <typename Stream>
class GuardedConnection
    : public std::enable_shared_from_this<GuardedConnection<Stream>> {
 public:
  // `permit` is given back when this is destroyed.
  GuardedConnection(Stream stream, std::string address,
                    ConnectionLimits::Permit permit, PortContext& context);
  ~GuardedConnection();

  void Start();

 private:
  template <typename T>
  using Awaitable = boost::asio::awaitable<T>;
  using TimePoint = std::chrono::steady_clock::time_point;
  using Duration = std::chrono::steady_clock::duration;
  using Local = boost::asio::local::stream_protocol;

  enum class Retiring { kNo, kWanted, kSaid };

  // The coroutines. Run() becomes the one of the server's bytes.
  Awaitable<void> Run();
  Awaitable<void> Watch();
  Awaitable<void> ForwardClient();
  Awaitable<void> ForwardServer();

  Awaitable<bool> Handshake();
  // Reads until the client has greeted; what it has sent so far, or nothing.
  Awaitable<std::string> AwaitGreeting();
  // Ends a connection of which gRPC knows nothing yet.
  Awaitable<void> Refuse();
  bool ConnectToServer();
  void OnClientEnd(bool may_read);
  // False if the server has closed, or this ends.
  Awaitable<bool> WriteToServer(std::span<const uint8_t> bytes);
  // False if the client cannot be written to.
  Awaitable<bool> WriteToClient(std::span<const uint8_t> bytes);
  // Says why, if there is a fault, and ends our direction.
  Awaitable<void> SayGoodbye();
  // So that what it still sends does not destroy what we have sent.
  Awaitable<void> DiscardClient();

  // Ends the connection with a GOAWAY: gRPC's side at once.
  void EndWith(const ScanFault& fault);
  // A first GOAWAY that lets the client finish; then, EndWith().
  void Retire();
  // The operation was only interrupted.
  bool MayGoOn(const boost::system::error_code& error) const;
  Duration IdleLimit() const;
  void NoteStreams();
  TimePoint NextDeadline() const;
  void CheckDeadlines();
  void SetClosing(CloseReason reason, TimePoint deadline);
  void FinishDirection();
  void Close(CloseReason reason);

  PortContext& context_;
  Stream client_;
  Local::socket server_;
  const std::string address_;
  const ConnectionLimits::Permit permit_;
  FrameScanner scanner_;
  boost::asio::steady_timer timer_;
  std::optional<CloseReason> reason_;  // the first one counts
  std::optional<ScanFault> fault_;
  Retiring retiring_ = Retiring::kNo;
  bool closed_ = false;
  int num_finished_ = 0;  // directions
  const TimePoint preface_deadline_;
  TimePoint idle_since_;
  std::optional<TimePoint> writing_since_;
  std::optional<TimePoint> closing_deadline_;
};

using PlainClient = boost::asio::ip::tcp::socket;
using TlsClient = boost::asio::ssl::stream<PlainClient>;

extern template class GuardedConnection<PlainClient>;
extern template class GuardedConnection<TlsClient>;

}  // namespace mesh::gateway
