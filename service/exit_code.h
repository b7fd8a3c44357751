// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "absl/status/status.h"

namespace mesh::service {

// The process's exit code for a command's status, after BSD's sysexits.h:
//   0 done; 65 bad data in a file; 66 no such file; 69 a service or disk is
//   unavailable; 70 our own mistake; 75 try again later; 77 not permitted;
//   78 bad flags or configuration; 130 interrupted.
int ExitCode(const absl::Status& status);

}  // namespace mesh::service
