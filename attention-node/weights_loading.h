// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "model/checkpoint.h"

namespace mesh::attention {

// Bytes in the checkpoint of all that an attention node hosts.
uint64_t AttentionBytes(const model::Checkpoint& checkpoint);

// Errors: kResourceExhausted, with what to do, if weights and KV cache do not
// fit into what is available.
absl::Status CheckMemory(uint64_t weight_bytes, uint64_t kv_bytes,
                         uint64_t available_bytes);

// For people: "loading weights 120/4000 MiB, 4 s left"; without the rest until
// there is something to judge by.
std::string DescribeLoading(uint64_t done_bytes, uint64_t total_bytes,
                            absl::Duration elapsed);

}  // namespace mesh::attention
