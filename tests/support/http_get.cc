// SPDX-License-Identifier: Apache-2.0
#include "tests/support/http_get.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

namespace mesh {
namespace {

std::string Exchange(int socket, const std::string& request) {
  if (send(socket, request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size())) {
    return "";
  }
  std::string answer;
  char bytes[4096];
  for (ssize_t size = 0; (size = recv(socket, bytes, sizeof bytes, 0)) > 0;) {
    answer.append(bytes, static_cast<size_t>(size));
  }
  return answer;
}

}  // namespace

std::string HttpGet(const std::string& address, const std::string& path) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) return "";
  sockaddr_in target = {};
  target.sin_family = AF_INET;
  target.sin_port =
      htons(static_cast<uint16_t>(std::stoi(address.substr(colon + 1))));
  if (inet_pton(AF_INET, address.substr(0, colon).c_str(), &target.sin_addr) !=
      1) {
    return "";
  }
  const int handle = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (handle < 0) return "";
  const timeval limit = {.tv_sec = 5, .tv_usec = 0};
  setsockopt(handle, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  std::string answer;
  if (connect(handle, reinterpret_cast<const sockaddr*>(&target),
              sizeof target) == 0) {
    answer = Exchange(handle, "GET " + path +
                                  " HTTP/1.1\r\nHost: localhost\r\n"
                                  "Connection: close\r\n\r\n");
  }
  close(handle);
  return answer;
}

}  // namespace mesh
