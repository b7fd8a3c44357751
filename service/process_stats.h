// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace mesh::service {

struct ProcessStats {
  uint64_t rss_bytes = 0;
  int num_fds = 0;
  double cpu_seconds = 0;  // user and system
};

// Of this process, from /proc; zeros where that cannot be read.
ProcessStats ReadProcessStats();

// Memory that a new process may take: MemAvailable, bounded by what is left of
// the limits of the process's cgroup (v1 or v2) and of those above it. `root`
// is where proc/ and sys/ are, for tests. The largest number if nothing can be
// read.
uint64_t AvailableMemoryBytes(const std::string& root = "/");

// Raises the soft limit of descriptors to the hard one. Errors:
// kResourceExhausted if that is below `needed`, with what to do.
absl::Status RaiseDescriptorLimit(int needed);

}  // namespace mesh::service
