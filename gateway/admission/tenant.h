// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace mesh::gateway {

enum class PriorityClass { kLow, kNormal, kHigh };

// Whom requests are counted for, and what it may do. Immutable.
struct Tenant {
  std::string name;
  std::vector<std::string> models;  // empty: all
  // 0 in these four: as much as the mesh allows.
  int64_t max_context = 0;  // tokens of prompt and answer together
  int64_t requests_per_minute = 0;
  int64_t tokens_per_minute = 0;
  int64_t concurrency = 0;  // streams at the same time
  PriorityClass priority_class = PriorityClass::kNormal;
  bool allow_logprobs = true;
};

// 1 to 64 letters, digits, '-', '_' and '.'.
bool IsTenantName(absl::string_view text);

// Of everybody, where there are no keys.
std::shared_ptr<const Tenant> AnonymousTenant();

// How many streams it gets for one of a tenant of weight 1.
int WeightOf(PriorityClass priority_class);
// `asked`, or the highest priority of a request that the class allows.
int AllowedPriority(PriorityClass priority_class, int asked);

bool MayUse(const Tenant& tenant, absl::string_view model);

// What a request asks of its tenant's rights.
struct ScopeDemand {
  absl::string_view model;
  int64_t num_tokens = 0;  // of prompt and answer together
  bool wants_logprobs = false;
};

// Errors: ModelNotFound; kInvalidArgument, context_length_exceeded;
// kPermissionDenied, insufficient_scope.
absl::Status CheckScope(const Tenant& tenant, const ScopeDemand& demand);

}  // namespace mesh::gateway
