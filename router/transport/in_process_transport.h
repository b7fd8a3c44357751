// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "router/transport/transport.h"

namespace mesh::router {

// A network inside one process. It has no thread and no clock of its own:
// a frame sent is there at the receiver's next Poll(), in order. So a mesh in
// one process is deterministic.
//
// Thread-safe; endpoints may live on different threads. Endpoints and frames
// keep what they need of the network alive.
class InProcessNetwork {
 public:
  struct Options {
    size_t max_frame_bytes = size_t{4} << 20;
  };

  InProcessNetwork();
  explicit InProcessNetwork(const Options& options);
  ~InProcessNetwork();

  // A new end of the network that others Connect() to by `address`. When it is
  // destroyed, its peers lose it. Errors: kAlreadyExists while an endpoint of
  // that address is alive; kInvalidArgument if `address` is empty.
  absl::StatusOr<std::unique_ptr<Transport>> CreateEndpoint(
      const std::string& address);
  // Whether the endpoint of that address is alive.
  bool HasEndpoint(const std::string& address) const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace mesh::router
