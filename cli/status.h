// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "cli/console.h"
#include "cli/mesh_target.h"

namespace mesh::cli {

struct StatusOptions {
  MeshTarget router;
  bool watch = false;
  bool json = false;
  bool load = false;
  absl::Duration wait;  // 0: does not wait
  int num_nodes = 0;    // to wait for; 0: those that have joined
};

// Prints what the router knows of its mesh. With `watch` again every second
// until Ctrl-C, through times in which the router is away. With `wait` first
// until the mesh answers requests, with progress lines.
// Errors: kUnavailable if no router answers; kDeadlineExceeded, with what is
// missing, if waiting took too long.
absl::Status RunStatus(const StatusOptions& options, Console& console);

}  // namespace mesh::cli
