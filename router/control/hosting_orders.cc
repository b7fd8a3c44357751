// SPDX-License-Identifier: Apache-2.0
#include "router/control/hosting_orders.h"

namespace mesh::router {
namespace {

bool Gives(const HostingPlan* plan, NodeId node, size_t index) {
  if (plan == nullptr) return false;
  const auto it = plan->find(node);
  return it != plan->end() && it->second[index];
}

// Whether another node holds the expert and will.
bool IsSafeElsewhere(const OrderContext& context, NodeId node, size_t index) {
  for (const auto& [other, set] : context.loading.Plan()) {
    if (other != node && set[index] && context.holdings.Of(other)[index]) {
      return true;
    }
  }
  return false;
}

}  // namespace

HostingOrder LoadOrder(const OrderContext& context, NodeId node) {
  HostingOrder order{.epoch = context.loading.Epoch(),
                     .phase = HostingPhase::kLoad,
                     .experts = {}};
  const ExpertSet& held = context.holdings.Of(node);
  const auto add = [&](auto wanted) {
    for (size_t i = 0; i < context.grid.Size(); ++i) {
      if ((Gives(&context.loading.Plan(), node, i) ||
           (held[i] && Gives(context.active, node, i))) &&
          wanted(i)) {
        order.experts.push_back(context.grid.KeyOf(i));
      }
    }
  };
  const auto orphaned = [&](size_t i) {
    return context.holdings.NumHolders(i) == 0;
  };
  add(orphaned);
  add([&](size_t i) { return !held[i] && !orphaned(i); });
  add([&](size_t i) { return held[i]; });
  return order;
}

std::optional<HostingOrder> MakeRoomOrder(const OrderContext& context,
                                          NodeId node, size_t capacity) {
  const ExpertSet& held = context.holdings.Of(node);
  size_t needed = 0;
  for (size_t i = 0; i < held.size(); ++i) {
    needed += held[i] || Gives(&context.loading.Plan(), node, i);
  }
  if (needed <= capacity) return std::nullopt;
  HostingOrder order{.epoch = context.loading.Epoch(),
                     .phase = HostingPhase::kRetire,
                     .experts = {}};
  size_t kept = 0;
  for (size_t i = 0; i < held.size(); ++i) {
    if (!held[i]) continue;
    const bool goes =
        !Gives(&context.loading.Plan(), node, i) &&
        (!Gives(context.active, node, i) || IsSafeElsewhere(context, node, i));
    if (!goes) order.experts.push_back(context.grid.KeyOf(i));
    kept += !goes;
  }
  if (kept == CountOf(held)) return std::nullopt;
  return order;
}

HostingOrder RetireOrder(const HostingPlan& plan, const ExpertGrid& grid,
                         NodeId node, uint64_t epoch) {
  HostingOrder order{
      .epoch = epoch, .phase = HostingPhase::kRetire, .experts = {}};
  for (size_t i = 0; i < grid.Size(); ++i) {
    if (Gives(&plan, node, i)) order.experts.push_back(grid.KeyOf(i));
  }
  return order;
}

}  // namespace mesh::router
