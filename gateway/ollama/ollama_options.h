// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "absl/status/status.h"
#include "gateway/generation_request.h"
#include "gateway/openai/request_fields.h"

namespace mesh::gateway {

// Reads "options" of `fields`: how to sample, and where to end. Options that
// are not known, and those that only a machine's owner can choose (num_gpu,
// num_thread, ...), have no effect. Errors: those of RequestFields.
absl::Status ReadOllamaOptions(const RequestFields& fields,
                               GenerateInput* input);

}  // namespace mesh::gateway
