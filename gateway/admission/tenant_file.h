// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "gateway/admission/tenant_table.h"

namespace mesh::gateway {

// The tenants of a YAML file:
//
//   tenants:
//     - name: acme
//       keys:                        # at most 2, so that one can be replaced
//         - {id: 0aB1cD2eF3gH, hash: 64 hexadecimal digits}
//       models: [deepseek-r1]        # absent: all
//       max_context: 32768           # absent, as the next three: no limit
//       requests_per_minute: 600
//       tokens_per_minute: 200000
//       concurrency: 16
//       priority: normal             # low, normal or high
//       logprobs: true
//
// Errors: those of ReadFile; kInvalidArgument with the line for whatever else
// stands there, a name or key id that stands twice, and for more than
// kMaxTenants.
absl::StatusOr<TenantTable> ReadTenantFile(const std::string& path);

}  // namespace mesh::gateway
