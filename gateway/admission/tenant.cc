// SPDX-License-Identifier: Apache-2.0
#include "gateway/admission/tenant.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "gateway/api_error.h"

namespace mesh::gateway {
namespace {

constexpr size_t kMaxNameBytes = 64;

}  // namespace

bool IsTenantName(absl::string_view text) {
  return !text.empty() && text.size() <= kMaxNameBytes &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return absl::ascii_isalnum(c) || c == '-' || c == '_' || c == '.';
         });
}

std::shared_ptr<const Tenant> AnonymousTenant() {
  auto tenant = std::make_shared<Tenant>();
  tenant->name = "anonymous";
  tenant->priority_class = PriorityClass::kHigh;
  return tenant;
}

int WeightOf(PriorityClass priority_class) {
  switch (priority_class) {
    case PriorityClass::kLow:
      return 1;
    case PriorityClass::kNormal:
      return 4;
    case PriorityClass::kHigh:
      return 16;
  }
  return 1;
}

int AllowedPriority(PriorityClass priority_class, int asked) {
  switch (priority_class) {
    case PriorityClass::kLow:
      return std::min(asked, 1);
    case PriorityClass::kNormal:
      return std::min(asked, 4);
    case PriorityClass::kHigh:
      return asked;
  }
  return 0;
}

bool MayUse(const Tenant& tenant, absl::string_view model) {
  return tenant.models.empty() ||
         std::find(tenant.models.begin(), tenant.models.end(), model) !=
             tenant.models.end();
}

absl::Status CheckScope(const Tenant& tenant, const ScopeDemand& demand) {
  if (!MayUse(tenant, demand.model)) return ModelNotFound(demand.model);
  if (tenant.max_context > 0 && demand.num_tokens > tenant.max_context) {
    return InvalidField(
        "", "context_length_exceeded",
        absl::StrCat("the prompt and max_tokens are ", demand.num_tokens,
                     " tokens together, expected at most ", tenant.max_context,
                     " with this key"));
  }
  if (demand.wants_logprobs && !tenant.allow_logprobs) {
    return ApiError(absl::StatusCode::kPermissionDenied,
                    "this key may not ask for logprobs; leave them out",
                    {.code = "insufficient_scope", .param = "logprobs"});
  }
  return absl::OkStatus();
}

}  // namespace mesh::gateway
