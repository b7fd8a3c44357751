// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "core/digest.h"
#include "expert-node/hosting_plan.h"
#include "router/transport/wire_format.h"

namespace mesh::expert {

// Who a node is and what it agreed on with others. Immutable once it listens.
struct ExpertIdentity {
  std::string name = {};
  uint64_t incarnation = 0;
  std::string grpc_address = {};     // what others connect to
  std::string metrics_address = {};  // empty if there is none
  Digest model_digest = {};
  std::string numerics = {};
  std::string transport = {};  // kind of the data plane, "ucx" say
  router::WireLimits wire = {};
  HostingLimits hosting = {};
  size_t expert_bytes = 0;  // of one expert in memory
};

}  // namespace mesh::expert
