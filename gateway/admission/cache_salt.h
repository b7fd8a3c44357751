// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace mesh::gateway {

// What keeps prompts apart in the attention nodes' prefix cache: 32 bytes
// (SHA-256) of the tenant's name and of the request's own salt. So tenants
// share nothing, and cannot learn from the time to a first token what others
// have asked; within a tenant, requests of different salts do not either.
std::string CacheSalt(absl::string_view tenant, absl::string_view request_salt);

}  // namespace mesh::gateway
