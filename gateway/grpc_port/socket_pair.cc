// SPDX-License-Identifier: Apache-2.0
#include "gateway/grpc_port/socket_pair.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>

namespace mesh::gateway {
namespace {

// Linux allows it on a connected socket too, and its peer's getpeername() then
// answers the name.
void Name(int socket, absl::string_view name) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  // The first byte of an abstract name is zero.
  if (name.size() >= sizeof(address.sun_path)) return;
  std::memcpy(address.sun_path + 1, name.data(), name.size());
  const auto size =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  static_cast<void>(
      bind(socket, reinterpret_cast<const sockaddr*>(&address), size));
}

}  // namespace

absl::StatusOr<SocketPair> MakeSocketPair(absl::string_view name) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
                 ends) != 0) {
    return absl::ResourceExhaustedError(
        "no descriptors are left for a connection; raise the limit of open "
        "files");
  }
  Name(ends[0], name);
  return SocketPair{ends[0], ends[1]};
}

}  // namespace mesh::gateway
