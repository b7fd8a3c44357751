// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "gateway/admission/tenant.h"
#include "gateway/generation_request.h"
#include "gateway/served_model.h"

namespace mesh::gateway {

// As CheckGenerateInput, within what `tenant` may, and with a cache salt of the
// tenant's own. A model that it may not use
// looks like one that does not exist. Errors: those of CheckGenerateInput and
// CheckScope; kPermissionDenied, insufficient_scope, for too high a priority.
absl::StatusOr<GenerationRequest> CheckTenantInput(GenerateInput input,
                                                   const Tenant& tenant,
                                                   const ServedModel& model,
                                                   int max_positions,
                                                   uint64_t drawn_seed);

}  // namespace mesh::gateway
