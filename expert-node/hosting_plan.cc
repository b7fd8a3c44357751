// SPDX-License-Identifier: Apache-2.0
#include "expert-node/hosting_plan.h"

#include <algorithm>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_format.h"
#include "core/status_macros.h"

namespace mesh::expert {
namespace {

using Keys = std::vector<router::ExpertKey>;
using KeySet = absl::flat_hash_set<router::ExpertKey>;

// What is in `keys` and not in `known`, each once.
Keys Missing(std::span<const router::ExpertKey> keys, KeySet known) {
  Keys missing;
  for (const router::ExpertKey& key : keys) {
    if (known.insert(key).second) missing.push_back(key);
  }
  return missing;
}

absl::Status CheckExperts(std::span<const router::ExpertKey> wanted,
                          const HostingLimits& limits) {
  for (const router::ExpertKey& key : wanted) {
    const bool known = key.expert.value < limits.num_experts &&
                       std::binary_search(limits.layers.begin(),
                                          limits.layers.end(), key.layer);
    if (!known) {
      return absl::InvalidArgumentError(
          absl::StrFormat("the order names expert %d of layer %d, which this "
                          "node's model does not have",
                          key.expert.value, key.layer.value));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<HostingPlan> PlanHosting(
    const HostingOrder& order, const HostingLimits& limits,
    std::span<const router::ExpertKey> held) {
  RETURN_IF_ERROR(CheckExperts(order.experts, limits));
  HostingPlan plan;
  plan.load = Missing(order.experts, KeySet(held.begin(), held.end()));
  if (order.phase == HostingPhase::kRetire) {
    plan.unload =
        Missing(held, KeySet(order.experts.begin(), order.experts.end()));
    std::sort(plan.unload.begin(), plan.unload.end());
  }
  const size_t after = held.size() - plan.unload.size() + plan.load.size();
  if (!plan.load.empty() && after > static_cast<size_t>(limits.capacity)) {
    return absl::ResourceExhaustedError(
        absl::StrFormat("the order needs memory for %d experts, but this node "
                        "has room for %d; raise --memory or add expert nodes",
                        after, limits.capacity));
  }
  return plan;
}

}  // namespace mesh::expert
