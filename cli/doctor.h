// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "absl/status/status.h"
#include "cli/console.h"
#include "cli/mesh_target.h"

namespace mesh::cli {

struct DoctorOptions {
  MeshTarget router;            // its channel options serve for all processes
  std::string gateway_address;  // host:port
  std::string api_key_file;     // of the gateway; empty: no key
};

// Asks every process of a mesh, measures the links, and prints what it found
// and then what is wrong and what to do. Errors: kUnavailable if anything is
// wrong, or if no router answers.
absl::Status RunDoctor(const DoctorOptions& options, Console& console);

}  // namespace mesh::cli
