// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "absl/status/status.h"
#include "cli/console.h"

namespace mesh::cli {

struct KeygenOptions {
  std::string tenant;
  std::string pepper_path;  // made if there is none
};

// Prints a new API key, which is nowhere else, and what to add to the gateway's
// file of keys. Errors: kInvalidArgument for a name that is none; those of
// ReadPepper; kUnavailable if the pepper cannot be written.
absl::Status RunKeygen(const KeygenOptions& options, Console& console);

}  // namespace mesh::cli
