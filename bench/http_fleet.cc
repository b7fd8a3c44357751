// SPDX-License-Identifier: Apache-2.0
#include "bench/http_fleet.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "core/check.h"

namespace mesh::bench {
namespace {

constexpr size_t kReadBytes = 64 << 10;
constexpr int kMaxEvents = 512;

}  // namespace

struct HttpFleet::Connection {
  int socket = -1;
  bool is_open = true;
  bool carries = false;  // a request, which is `id`
  uint64_t id = 0;
  std::string to_send;
  std::string unread;  // of the answer
  bool has_head = false;
  bool is_chunked = false;
  bool is_last = false;  // the server closes after it
  size_t body_left = 0;  // without chunks
};

HttpFleet::HttpFleet(int port, HttpWatcher& watcher)
    : port_(port), watcher_(watcher), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  MESH_CHECK(epoll_ >= 0);
}

HttpFleet::~HttpFleet() {
  for (const auto& [connection, owned] : all_) close(connection->socket);
  close(epoll_);
}

HttpFleet::Connection* HttpFleet::Connect() {
  auto owned = std::make_unique<Connection>();
  Connection* connection = owned.get();
  connection->socket =
      socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  MESH_CHECK(connection->socket >= 0);
  const int on = 1;
  setsockopt(connection->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port_));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int connected =
      connect(connection->socket, reinterpret_cast<const sockaddr*>(&address),
              sizeof(address));
  MESH_CHECK(connected == 0 || errno == EINPROGRESS);
  epoll_event event = {};
  event.events = EPOLLIN | EPOLLOUT | EPOLLET;
  event.data.ptr = connection;
  MESH_CHECK(epoll_ctl(epoll_, EPOLL_CTL_ADD, connection->socket, &event) == 0);
  all_.emplace(connection, std::move(owned));
  return connection;
}

void HttpFleet::Send(uint64_t id, std::string bytes) {
  Connection* connection = nullptr;
  if (idle_.empty()) {
    connection = Connect();
  } else {
    connection = idle_.back();
    idle_.pop_back();
  }
  connection->carries = true;
  connection->id = id;
  connection->has_head = false;
  connection->to_send = std::move(bytes);
  MESH_CHECK(by_id_.emplace(id, connection).second);
  Flush(*connection);
}

void HttpFleet::Flush(Connection& connection) {
  while (!connection.to_send.empty()) {
    const ssize_t sent = send(connection.socket, connection.to_send.data(),
                              connection.to_send.size(), MSG_NOSIGNAL);
    if (sent < 0) return;  // later, or reading tells
    connection.to_send.erase(0, static_cast<size_t>(sent));
  }
}

void HttpFleet::Drop(uint64_t id, bool reset) {
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return;
  Connection& connection = *found->second;
  by_id_.erase(found);
  connection.carries = false;
  if (reset) {
    const linger at_once = {.l_onoff = 1, .l_linger = 0};
    setsockopt(connection.socket, SOL_SOCKET, SO_LINGER, &at_once,
               sizeof(at_once));
  }
  Close(connection);
}

void HttpFleet::Close(Connection& connection) {
  if (!connection.is_open) return;
  connection.is_open = false;
  close(connection.socket);
  idle_.erase(std::remove(idle_.begin(), idle_.end(), &connection),
              idle_.end());
  const auto found = all_.find(&connection);
  closed_.push_back(std::move(found->second));
  all_.erase(found);
}

void HttpFleet::CloseIdle() {
  while (!idle_.empty()) Close(*idle_.back());
}

void HttpFleet::Poll(absl::Duration limit) {
  std::array<epoll_event, kMaxEvents> events;
  // Less than a millisecond is not slept away.
  const int ms =
      static_cast<int>(std::max(int64_t{0}, absl::ToInt64Milliseconds(limit)));
  const int num_events = epoll_wait(epoll_, events.data(), kMaxEvents, ms);
  for (int i = 0; i < num_events; ++i) {
    auto& connection =
        *static_cast<Connection*>(events[static_cast<size_t>(i)].data.ptr);
    const uint32_t what = events[static_cast<size_t>(i)].events;
    if (connection.is_open && (what & EPOLLOUT) != 0) Flush(connection);
    if (connection.is_open && (what & ~uint32_t{EPOLLOUT}) != 0) {
      Read(connection);
    }
  }
  closed_.clear();
}

void HttpFleet::Read(Connection& connection) {
  static thread_local std::array<char, kReadBytes> buffer;
  for (;;) {
    const ssize_t num_bytes =
        recv(connection.socket, buffer.data(), buffer.size(), 0);
    const absl::Time read = absl::Now();
    if (num_bytes < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (num_bytes <= 0) return End(connection, /*complete=*/false, read);
    connection.unread.append(buffer.data(), static_cast<size_t>(num_bytes));
    if (!Parse(connection, read)) {
      return End(connection, /*complete=*/false, read);
    }
    if (!connection.is_open) return;
  }
}

bool HttpFleet::ParseHead(Connection& connection) {
  const size_t end = connection.unread.find("\r\n\r\n");
  if (end == std::string::npos) return true;
  const std::string head = connection.unread.substr(0, end + 2);
  connection.unread.erase(0, end + 4);
  int status = 0;
  if (head.size() < 12 || !absl::SimpleAtoi(head.substr(9, 3), &status)) {
    return false;
  }
  connection.has_head = true;
  connection.is_chunked = HeaderOf(head, "transfer-encoding") == "chunked";
  connection.is_last = HeaderOf(head, "connection") == "close";
  connection.body_left = 0;
  if (!connection.is_chunked &&
      !absl::SimpleAtoi(HeaderOf(head, "content-length"),
                        &connection.body_left)) {
    return false;
  }
  watcher_.OnHead(connection.id, status, head);
  return true;
}

bool HttpFleet::Parse(Connection& connection, absl::Time read) {
  if (!connection.carries) return false;
  if (!connection.has_head) {
    if (!ParseHead(connection)) return false;
    if (!connection.has_head) return true;
  }
  // The watcher may drop the request at any call.
  while (connection.carries) {
    if (!connection.is_chunked) {
      if (connection.unread.size() < connection.body_left) return true;
      watcher_.OnBody(connection.id, connection.unread, read);
      connection.unread.clear();
      if (connection.carries) End(connection, /*complete=*/true, read);
      return true;
    }
    const size_t line = connection.unread.find("\r\n");
    if (line == std::string::npos) return true;
    uint64_t size = 0;
    if (!absl::SimpleHexAtoi(connection.unread.substr(0, line), &size)) {
      return false;
    }
    if (connection.unread.size() < line + 2 + size + 2) return true;
    const std::string piece = connection.unread.substr(line + 2, size);
    connection.unread.erase(0, line + 2 + size + 2);
    if (size == 0) {
      End(connection, /*complete=*/true, read);
      return true;
    }
    watcher_.OnBody(connection.id, piece, read);
  }
  return true;
}

void HttpFleet::End(Connection& connection, bool complete, absl::Time read) {
  const bool carried = std::exchange(connection.carries, false);
  const uint64_t id = connection.id;
  if (carried) by_id_.erase(id);
  if (complete && !connection.is_last) {
    idle_.push_back(&connection);
  } else {
    Close(connection);
  }
  if (carried) watcher_.OnEnd(id, complete, read);
}

std::string HeaderOf(absl::string_view headers, absl::string_view name) {
  for (const absl::string_view line : absl::StrSplit(headers, "\r\n")) {
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(line, absl::MaxSplits(':', 1));
    if (absl::EqualsIgnoreCase(parts.first, name)) {
      return std::string(absl::StripAsciiWhitespace(parts.second));
    }
  }
  return "";
}

}  // namespace mesh::bench
