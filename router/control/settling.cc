// SPDX-License-Identifier: Apache-2.0
#include "router/control/settling.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace mesh::router {
namespace {

// The first node of the table that is not back; empty if all are.
std::string Missing(const ReachablePlacement& table,
                    const MembershipTable& members) {
  for (const NodeIdentity& node : table.nodes) {
    const Member* const member = members.Find(node.id);
    if (member == nullptr || !member->Alive()) return node.name;
  }
  return "";
}

}  // namespace

void Settling::OnJoin(absl::Time now) {
  first_join_ = std::min(first_join_, now);
  last_join_ = now;
}

void Settling::OnExpertJoined(bool has_weights, absl::Time now) {
  OnJoin(now);
  has_past_ = has_past_ || has_weights;
}

void Settling::OnAttentionJoined(
    const std::optional<ReachablePlacement>& placement, absl::Time now) {
  OnJoin(now);
  if (placement.has_value() &&
      (!reported_.has_value() ||
       placement->placement->Epoch() > reported_->placement->Epoch())) {
    reported_ = placement;
  }
}

bool Settling::Try(const MembershipTable& members, absl::Time now) {
  if (done_) return true;
  if (now < last_join_ + options_.settle) return false;
  const bool late = now >= first_join_ + options_.rebuild_limit;
  if (reported_.has_value()) {
    done_ = late || Missing(*reported_, members).empty();
  } else {
    done_ = (late || !has_past_) &&
            members.NumAlive(service::Role::kExpert) >=
                static_cast<size_t>(options_.min_expert_nodes);
  }
  return done_;
}

absl::Time Settling::NextDeadline(absl::Time now) const {
  absl::Time next = absl::InfiniteFuture();
  for (const absl::Time deadline :
       {last_join_ + options_.settle, first_join_ + options_.rebuild_limit}) {
    if (!done_ && deadline > now) next = std::min(next, deadline);
  }
  return next;
}

std::string Settling::Activity(const MembershipTable& members) const {
  if (reported_.has_value()) {
    const std::string missing = Missing(*reported_, members);
    return absl::StrCat("taking over from the nodes",
                        missing.empty() ? "" : ": waiting for ", missing);
  }
  const size_t num_experts = members.NumAlive(service::Role::kExpert);
  if (has_past_ &&
      num_experts >= static_cast<size_t>(options_.min_expert_nodes)) {
    return "taking over from the nodes: waiting for an attention node to tell "
           "the placement in use";
  }
  return absl::StrCat("waiting for expert nodes: ", num_experts, " of ",
                      options_.min_expert_nodes);
}

}  // namespace mesh::router
