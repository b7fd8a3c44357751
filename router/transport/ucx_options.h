// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>

#include "absl/time/time.h"

namespace mesh::router {

// Settings of the UCX transport. They come from our configuration, never from
// UCX_* variables of the environment.
struct UcxOptions {
  std::string device = "lo";  // network device(s), comma-separated
  size_t max_frame_bytes = size_t{4} << 20;
  size_t rndv_threshold = size_t{256} << 10;  // larger frames use rendezvous
  // How long Wait() yields the core before it sleeps; 0 sleeps at once.
  absl::Duration spin = absl::Microseconds(20);
  absl::Duration hello_timeout = absl::Seconds(1);
  absl::Duration token_lifetime = absl::Seconds(10);
  int max_links = 1024;
};

}  // namespace mesh::router
