// SPDX-License-Identifier: Apache-2.0
#include "tests/gateway/grpc_port/raw_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/check.h"
#include "service/host_port.h"
#include "tests/gateway/grpc_port/http2_bytes.h"

namespace mesh::gateway {

RawClient::RawClient(const std::string& address) {
  const service::HostPort host_port = service::ParseHostPort(address).value();
  sockaddr_in target = {};
  target.sin_family = AF_INET;
  target.sin_port = htons(static_cast<uint16_t>(host_port.port));
  MESH_CHECK(inet_pton(AF_INET, host_port.host.c_str(), &target.sin_addr) == 1);
  fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  MESH_CHECK(fd_ >= 0);
  MESH_CHECK(connect(fd_, reinterpret_cast<const sockaddr*>(&target),
                     sizeof(target)) == 0);
}

RawClient::~RawClient() { close(fd_); }

bool RawClient::Send(absl::string_view bytes) {
  while (!bytes.empty()) {
    bool writable = false;
    if (!Poll(true, absl::Now() + absl::Seconds(30), &writable)) return false;
    if (!writable) continue;
    const ssize_t sent =
        send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) {
      if (errno == EAGAIN) continue;
      Receive();
      closed_ = true;
      return false;
    }
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

void RawClient::EndSending() { shutdown(fd_, SHUT_WR); }

bool RawClient::AwaitClose(absl::Duration limit) {
  const absl::Time deadline = absl::Now() + limit;
  bool unused = false;
  while (!closed_ && Poll(false, deadline, &unused)) {
  }
  return closed_;
}

bool RawClient::AwaitFrame(FrameType type, absl::Duration limit,
                           std::optional<uint32_t> stream) {
  const absl::Time deadline = absl::Now() + limit;
  bool unused = false;
  while (Find(type, stream) == nullptr) {
    if (!Poll(false, deadline, &unused)) break;
  }
  return Find(type, stream) != nullptr;
}

const RawClient::Reply* RawClient::Find(FrameType type,
                                        std::optional<uint32_t> stream) const {
  const auto found =
      std::find_if(replies_.rbegin(), replies_.rend(), [&](const Reply& reply) {
        return reply.header.type == type &&
               (!stream.has_value() || reply.header.stream == *stream);
      });
  return found == replies_.rend() ? nullptr : &*found;
}

std::optional<Http2Error> RawClient::Goaway() const {
  const Reply* goaway = Find(FrameType::kGoaway, std::nullopt);
  if (goaway == nullptr || goaway->payload.size() < 8) return std::nullopt;
  return static_cast<Http2Error>(
      ReadUint32(AsBytes(goaway->payload).subspan(4)));
}

std::optional<int> RawClient::GrpcStatus(uint32_t stream) const {
  for (const Reply& reply : replies_) {
    if (reply.header.type != FrameType::kHeaders) continue;
    if (reply.header.stream != stream) continue;
    constexpr absl::string_view kName = "grpc-status";
    const size_t at = reply.payload.find(std::string(kName));
    if (at == std::string::npos) continue;
    // Behind it the value's length, and the value in digits.
    const size_t length_at = at + kName.size();
    const auto length = static_cast<size_t>(reply.payload.at(length_at));
    return std::stoi(reply.payload.substr(length_at + 1, length));
  }
  return std::nullopt;
}

bool RawClient::Poll(bool write, absl::Time deadline, bool* writable) {
  if (closed_) return false;
  const absl::Duration left = deadline - absl::Now();
  if (left <= absl::ZeroDuration()) return false;
  pollfd event = {
      .fd = fd_,
      .events = static_cast<int16_t>(POLLIN | (write ? POLLOUT : 0)),
      .revents = 0};
  if (poll(&event, 1, static_cast<int>(absl::ToInt64Milliseconds(left)) + 1) <=
      0) {
    return false;
  }
  if ((event.revents & (POLLIN | POLLHUP | POLLERR)) != 0) Receive();
  *writable = (event.revents & POLLOUT) != 0;
  return !closed_;
}

void RawClient::Receive() {
  char buffer[65536];
  for (;;) {
    const ssize_t size = recv(fd_, buffer, sizeof(buffer), MSG_DONTWAIT);
    if (size < 0 && errno == EAGAIN) break;
    if (size <= 0) {
      closed_ = true;
      break;
    }
    unread_.append(buffer, static_cast<size_t>(size));
  }
  while (unread_.size() >= kFrameHeaderBytes) {
    const FrameHeader header = DecodeFrameHeader(AsBytes(unread_));
    const size_t size = kFrameHeaderBytes + header.length;
    if (unread_.size() < size) break;
    replies_.push_back(
        {header, unread_.substr(kFrameHeaderBytes, header.length)});
    unread_.erase(0, size);
  }
}

}  // namespace mesh::gateway
