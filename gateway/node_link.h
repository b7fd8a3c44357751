// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "core/ids.h"
#include "gateway/attention_messages.h"

namespace mesh::gateway {

// The outgoing half of one connection to an attention node. Thread-safe. Both
// functions queue and return; they never call back. After the connection has
// broken they do nothing.
class NodeLink {
 public:
  virtual ~NodeLink() = default;

  virtual void Submit(const Submission& submission) = 0;
  virtual void Cancel(RequestId request, uint32_t attempt) = 0;
};

}  // namespace mesh::gateway
