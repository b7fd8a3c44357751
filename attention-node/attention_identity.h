// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/digest.h"
#include "core/ids.h"
#include "router/transport/wire_format.h"

namespace mesh::attention {

// Who a node is and what it must agree on with others. Immutable once it
// listens.
struct AttentionIdentity {
  std::string name = {};
  uint64_t incarnation = 0;
  std::string grpc_address = {};     // what others connect to
  std::string metrics_address = {};  // empty if there is none
  Digest model_digest = {};
  std::string numerics = {};
  std::string transport = {};      // kind of the data plane, "ucx" say
  std::string local_address = {};  // of this node's end of it
  router::WireLimits wire = {};
  std::vector<LayerId> moe_layers = {};
};

}  // namespace mesh::attention
