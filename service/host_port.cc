// SPDX-License-Identifier: Apache-2.0
#include "service/host_port.h"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace mesh::service {
namespace {

constexpr int kMaxPort = 65535;

absl::Status Malformed(absl::string_view address) {
  return absl::InvalidArgumentError(absl::StrCat(
      "address '", address,
      "': expected host:port, for example 127.0.0.1:9400 or [::1]:9400"));
}

using Addresses = std::unique_ptr<addrinfo, void (*)(addrinfo*)>;

// Null if the host has none.
Addresses Resolve(const HostPort& address) {
  addrinfo hints = {};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(),
                  &hints, &found) != 0) {
    found = nullptr;
  }
  return {found, freeaddrinfo};
}

// 0, or the errno of binding.
int TryBind(const addrinfo& address) {
  const int fd = socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  const int error =
      bind(fd, address.ai_addr, address.ai_addrlen) == 0 ? 0 : errno;
  close(fd);
  return error;
}

absl::Status BindError(int error, const HostPort& address,
                       absl::string_view flag) {
  const std::string name = absl::StrCat("address ", address.ToString());
  switch (error) {
    case EADDRINUSE:
      return absl::AlreadyExistsError(absl::StrCat(
          name, ": the port is taken; choose another with ", flag));
    case EADDRNOTAVAIL:
      return absl::InvalidArgumentError(absl::StrCat(
          name, ": not an address of this machine; choose one with ", flag));
    case EACCES:
      return absl::PermissionDeniedError(absl::StrCat(
          name, ": this user may not listen there; choose a port above 1023 ",
          "with ", flag));
    default:
      return absl::ErrnoToStatus(error, name);
  }
}

}  // namespace

std::string HostPort::ToString() const {
  if (host.find(':') == std::string::npos) return absl::StrCat(host, ":", port);
  return absl::StrCat("[", host, "]:", port);
}

absl::StatusOr<HostPort> ParseHostPort(absl::string_view address) {
  const size_t colon = address.rfind(':');
  if (colon == absl::string_view::npos) return Malformed(address);
  absl::string_view host = address.substr(0, colon);
  const bool bracketed =
      host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const bool has_colon = host.find(':') != absl::string_view::npos;
  if (host.empty() || has_colon != bracketed) return Malformed(address);
  if (host.find_first_of("[]/ \t\n,") != absl::string_view::npos) {
    return Malformed(address);
  }
  int port = 0;
  if (!absl::SimpleAtoi(address.substr(colon + 1), &port) || port < 0 ||
      port > kMaxPort) {
    return Malformed(address);
  }
  return HostPort{std::string(host), port};
}

bool IsWildcard(const HostPort& address) {
  return address.host == "0.0.0.0" || address.host == "::";
}

absl::Status CheckBindable(const HostPort& address, absl::string_view flag) {
  const Addresses found = Resolve(address);
  if (found == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("address ", address.ToString(),
                     ": the host has no address; choose one with ", flag));
  }
  // A name may have addresses that this machine lacks; one that works is
  // enough, but a taken port is taken.
  int first_error = 0;
  bool bound = false;
  for (const addrinfo* each = found.get(); each != nullptr;
       each = each->ai_next) {
    const int error = TryBind(*each);
    if (error == EADDRINUSE) return BindError(error, address, flag);
    bound = bound || error == 0;
    if (first_error == 0) first_error = error;
  }
  if (bound) return absl::OkStatus();
  return BindError(first_error, address, flag);
}

void TryConnect(const HostPort& address) {
  const Addresses found = Resolve(address);
  if (found == nullptr) return;
  const int fd =
      socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return;
  static_cast<void>(connect(fd, found->ai_addr, found->ai_addrlen));
  close(fd);
}

}  // namespace mesh::service
