// SPDX-License-Identifier: Apache-2.0
#pragma once

// clang-format off: Boost 1.74 needs it before Asio
#include <utility>
// clang-format on

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "gateway/net/accept_counters.h"
#include "gateway/net/connection_limits.h"
#include "service/tls.h"

namespace mesh::gateway {

// One connection as it was accepted: nothing has been read from it.
struct AcceptedConnection {
  boost::asio::ip::tcp::socket socket;
  ConnectionLimits::Permit permit;  // keep it as long as the connection
  std::string address;              // of the other side, without the port
};

// Takes connections on one address for ever: neither a flood of them nor a lack
// of descriptors makes it stop. A spare descriptor is held, so that connections
// can still be taken and closed when there is no other left.
class Acceptor {
 public:
  struct Options {
    std::string listen = "127.0.0.1:0";  // host:port; port 0: any free one
    std::string flag = "--listen";       // the one that set it, for errors
    // Beyond loopback, either certificates or the word of the operator.
    service::TlsOptions tls = {};
    bool insecure_lab = false;
    ConnectionLimits::Options limits = {};
  };

  // Called on a thread that runs the io_context, whatever the limits let in.
  using OnConnection = std::function<void(AcceptedConnection connection)>;

  // Listens once it returns; `io` must outlive it, and may run on one thread
  // only. `clock` must outlive it. Errors: kInvalidArgument for an address that
  // is malformed, not of this machine, or beyond loopback without certificates;
  // kAlreadyExists if the port is taken; kPermissionDenied.
  static absl::StatusOr<std::unique_ptr<Acceptor>> Start(
      boost::asio::io_context& io, const Options& options, const Clock& clock,
      OnConnection on_connection);
  // As Stop().
  ~Acceptor();

  // host:port, with the port that was found for 0.
  const std::string& Address() const;
  const AcceptCounters& Counters() const;
  int NumConnections() const;

  // Closes the listening socket. Thread-safe: the io thread does it, and until
  // it has, connections may still come in; at once if this is the io thread.
  // May be called again.
  void Stop();

 private:
  class Loop;
  explicit Acceptor(std::shared_ptr<Loop> loop);

  const std::shared_ptr<Loop> loop_;
};

}  // namespace mesh::gateway
