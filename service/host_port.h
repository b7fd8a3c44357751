// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace mesh::service {

// A TCP address; an IPv6 host without its brackets.
struct HostPort {
  std::string host;
  int port = 0;

  std::string ToString() const;
};

// "127.0.0.1:9400", "[::1]:9400", "node-3:9400". Errors: kInvalidArgument says
// what was expected.
absl::StatusOr<HostPort> ParseHostPort(absl::string_view address);

// True for 0.0.0.0 and ::, where a server listens but nobody can connect to.
bool IsWildcard(const HostPort& address);

// Binds the address and lets go of it, for an error that says what is wrong;
// libraries only say that they failed. `flag` is the one that set the address.
// Errors: kAlreadyExists if the port is taken; kInvalidArgument if the address
// is not of this machine; kPermissionDenied.
absl::Status CheckBindable(const HostPort& address, absl::string_view flag);

// Connects and hangs up at once, so that a listener on this machine wakes.
void TryConnect(const HostPort& address);

}  // namespace mesh::service
