// SPDX-License-Identifier: Apache-2.0
#include "gateway/tenant_check.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/status_macros.h"
#include "gateway/admission/cache_salt.h"
#include "gateway/api_error.h"

namespace mesh::gateway {

absl::StatusOr<GenerationRequest> CheckTenantInput(GenerateInput input,
                                                   const Tenant& tenant,
                                                   const ServedModel& model,
                                                   int max_positions,
                                                   uint64_t drawn_seed) {
  if (!input.model.empty() && !MayUse(tenant, input.model)) {
    return ModelNotFound(input.model);
  }
  ASSIGN_OR_RETURN(
      GenerationRequest request,
      CheckGenerateInput(std::move(input), model, max_positions, drawn_seed));
  RETURN_IF_ERROR(CheckScope(
      tenant, {.model = model.card.name,
               .num_tokens = static_cast<int64_t>(request.prompt.size()) +
                             request.sampling.max_tokens,
               .wants_logprobs = request.sampling.num_logprobs >= 0}));
  if (AllowedPriority(tenant.priority_class, request.priority) <
      request.priority) {
    return ApiError(
        absl::StatusCode::kPermissionDenied,
        absl::StrCat("priority is ", request.priority,
                     ", which is more than this key's class allows"),
        {.code = "insufficient_scope", .param = "priority"});
  }
  request.cache_salt = CacheSalt(tenant.name, request.cache_salt);
  return request;
}

}  // namespace mesh::gateway
