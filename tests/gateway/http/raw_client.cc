// SPDX-License-Identifier: Apache-2.0
#include "tests/gateway/http/raw_client.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace mesh::gateway {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(20);

}  // namespace

bool RawAnswer::Has(absl::string_view line) const {
  return absl::StrContains(head, absl::StrCat(line, "\r\n"));
}

RawClient::RawClient(const std::string& address) {
  sockaddr_in target = {};
  target.sin_family = AF_INET;
  target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  target.sin_port = htons(
      static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
  handle_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (handle_ >= 0 && connect(handle_, reinterpret_cast<sockaddr*>(&target),
                              sizeof target) != 0) {
    Close();
  }
}

bool RawClient::Send(absl::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t size =
        send(handle_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (size < 0) return false;
    bytes.remove_prefix(static_cast<size_t>(size));
  }
  return true;
}

size_t RawClient::SendSome(absl::string_view bytes) const {
  const ssize_t size =
      send(handle_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  return size < 0 ? 0 : static_cast<size_t>(size);
}

bool RawClient::ReadMore(absl::Duration limit) {
  pollfd entry = {handle_, POLLIN, 0};
  if (poll(&entry, 1, static_cast<int>(absl::ToInt64Milliseconds(limit))) <=
      0) {
    return false;
  }
  char bytes[65536];
  const ssize_t size = recv(handle_, bytes, sizeof bytes, 0);
  if (size <= 0) return false;
  received_.append(bytes, static_cast<size_t>(size));
  return true;
}

std::string RawClient::TakeLine() {
  size_t end = 0;
  while ((end = received_.find("\r\n")) == std::string::npos) {
    if (!ReadMore(kPatience)) return "";
  }
  return TakeBytes(end + 2);
}

std::string RawClient::TakeBytes(size_t size) {
  while (received_.size() < size) {
    if (!ReadMore(kPatience)) break;
  }
  const std::string taken = received_.substr(0, size);
  received_.erase(0, taken.size());
  return taken;
}

RawAnswer RawClient::Answer(bool has_body) {
  RawAnswer answer;
  for (std::string line = TakeLine(); !line.empty(); line = TakeLine()) {
    answer.head += line;
    if (line == "\r\n") break;
  }
  if (answer.head.size() < 12 ||
      !absl::SimpleAtoi(answer.head.substr(9, 3), &answer.status)) {
    return {};
  }
  if (!has_body || answer.status == 100) return answer;
  const std::string name = "Content-Length: ";
  if (const size_t at = answer.head.find(name); at != std::string::npos) {
    answer.body = TakeBytes(std::stoul(answer.head.substr(at + name.size())));
  } else if (answer.Has("Transfer-Encoding: chunked")) {
    for (;;) {
      const std::string line = TakeLine();
      const size_t size = line.empty() ? 0 : std::stoul(line, nullptr, 16);
      const std::string chunk = TakeBytes(size + 2);
      if (size == 0) break;
      answer.body += chunk.substr(0, size);
    }
  } else {
    answer.body = Rest();
  }
  return answer;
}

bool RawClient::WaitFor(absl::string_view text) {
  while (!absl::StrContains(received_, text)) {
    if (!ReadMore(kPatience)) return false;
  }
  return true;
}

std::string RawClient::Rest() {
  while (ReadMore(kPatience)) {
  }
  return std::exchange(received_, "");
}

bool RawClient::IsClosed(absl::Duration limit) {
  const absl::Time deadline = absl::Now() + limit;
  for (;;) {
    const absl::Duration left = deadline - absl::Now();
    if (left <= absl::ZeroDuration()) return false;
    pollfd entry = {handle_, POLLIN, 0};
    if (poll(&entry, 1, static_cast<int>(absl::ToInt64Milliseconds(left))) <=
        0) {
      continue;
    }
    char bytes[65536];
    if (recv(handle_, bytes, sizeof bytes, 0) <= 0) return true;
  }
}

void RawClient::EndSending() const { shutdown(handle_, SHUT_WR); }

void RawClient::Close() {
  if (handle_ >= 0) close(handle_);
  handle_ = -1;
}

void RawClient::Reset() {
  const linger option = {.l_onoff = 1, .l_linger = 0};
  setsockopt(handle_, SOL_SOCKET, SO_LINGER, &option, sizeof option);
  Close();
}

}  // namespace mesh::gateway
