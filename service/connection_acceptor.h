// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace mesh::service {

// Takes connections that somebody else has accepted. Thread-safe.
class ConnectionAcceptor {
 public:
  virtual ~ConnectionAcceptor() = default;

  // Serves what comes on the stream socket `fd`, which does not block; closes
  // it in the end, at once if the server is shut down.
  virtual void Take(int fd) = 0;
};

}  // namespace mesh::service
