// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "absl/status/statusor.h"
#include "core/dtype.h"
#include "kernels/kernels.h"
#include "model/checkpoint.h"

namespace mesh::expert {

// Bytes of one packed expert of the checkpoint, from its first expert's headers
// and without reading a weight. Errors: kInvalidArgument for a model without
// routed experts; kDataLoss for a dtype that experts cannot have.
absl::StatusOr<size_t> PackedExpertBytes(const model::Checkpoint& checkpoint,
                                         const kernels::Kernels& kernels);

// Experts for which `memory_bytes` has room, at most `wanted`. `memory_bytes` 0
// means the machine's `available_bytes` less a reserve for everything else.
// Errors: kResourceExhausted if there is not even room for one, or if less is
// available than is asked for.
absl::StatusOr<int64_t> ExpertCapacity(size_t expert_bytes, int64_t wanted,
                                       uint64_t memory_bytes,
                                       uint64_t available_bytes);

}  // namespace mesh::expert
