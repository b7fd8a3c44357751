// SPDX-License-Identifier: Apache-2.0
#include "gateway/net/socket_stream.h"

#include <poll.h>

namespace mesh::gateway {

using boost::system::error_code;

SocketStream::SocketStream(Socket socket, boost::asio::ssl::context* tls)
    : socket_(std::move(socket)) {
  if (tls != nullptr) tls_.emplace(socket_, *tls);
}

bool SocketStream::HasHungUp() {
  if (!socket_.is_open()) return true;
  pollfd entry = {socket_.native_handle(), POLLRDHUP, 0};
  return poll(&entry, 1, 0) > 0 &&
         (entry.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

void SocketStream::Close() {
  error_code ignored;
  socket_.close(ignored);
}

void SocketStream::Reset() {
  error_code ignored;
  socket_.set_option(boost::asio::socket_base::linger(true, 0), ignored);
  socket_.close(ignored);
}

}  // namespace mesh::gateway
