// SPDX-License-Identifier: Apache-2.0
#pragma once

// clang-format off: Boost 1.74 needs it before Asio
#include <utility>
// clang-format on

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/system/error_code.hpp>
#include <optional>

namespace mesh::gateway {

// A connection, with TLS or without: whoever reads and writes need not know.
// One read and one write may be outstanding. Owned by the io thread.
class SocketStream {
 public:
  using Socket = boost::asio::ip::tcp::socket;

  // `tls` is null for plaintext, and outlives this otherwise.
  SocketStream(Socket socket, boost::asio::ssl::context* tls);

  bool IsTls() const { return tls_.has_value(); }
  Socket& Raw() { return socket_; }

  // REQUIRES: IsTls(). The handler gets the error.
  template <typename Handler>
  auto Handshake(Handler&& handler) {
    return tls_->async_handshake(boost::asio::ssl::stream_base::server,
                                 std::forward<Handler>(handler));
  }
  template <typename Buffers, typename Handler>
  auto ReadSome(const Buffers& buffers, Handler&& handler) {
    if (tls_) {
      return tls_->async_read_some(buffers, std::forward<Handler>(handler));
    }
    return socket_.async_read_some(buffers, std::forward<Handler>(handler));
  }
  template <typename Buffers, typename Handler>
  auto WriteSome(const Buffers& buffers, Handler&& handler) {
    if (tls_) {
      return tls_->async_write_some(buffers, std::forward<Handler>(handler));
    }
    return socket_.async_write_some(buffers, std::forward<Handler>(handler));
  }
  // Tells the other side that nothing more will come. `owner` keeps this alive
  // meanwhile.
  template <typename Owner>
  void EndWriting(Owner owner) {
    if (tls_) {
      tls_->async_shutdown([owner](const boost::system::error_code&) {});
      return;
    }
    boost::system::error_code ignored;
    socket_.shutdown(Socket::shutdown_send, ignored);
  }

  // Whether the other side has hung up, without reading.
  bool HasHungUp();
  // What is outstanding ends with an error.
  void Close();
  // As Close(), but without keeping what the other side has not taken yet.
  void Reset();

 private:
  Socket socket_;
  std::optional<boost::asio::ssl::stream<Socket&>> tls_;
};

}  // namespace mesh::gateway
