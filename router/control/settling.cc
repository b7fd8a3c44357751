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

void Settling::OnJoin(const std::optional<ReachablePlacement>& placement,
                      absl::Time now) {
  first_join_ = std::min(first_join_, now);
  last_join_ = now;
  if (placement.has_value() &&
      (!reported_.has_value() ||
       placement->placement->Epoch() > reported_->placement->Epoch())) {
    reported_ = placement;
  }
}

bool Settling::Try(const MembershipTable& members, absl::Time now) {
  if (done_) return true;
  if (now < last_join_ + options_.settle) return false;
  if (reported_.has_value()) {
    done_ = now >= first_join_ + options_.rebuild_limit ||
            Missing(*reported_, members).empty();
  } else {
    done_ = members.NumAlive(service::Role::kExpert) >=
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
  return absl::StrCat(
      "waiting for expert nodes: ", members.NumAlive(service::Role::kExpert),
      " of ", options_.min_expert_nodes);
}

void Settling::Reset() {
  done_ = false;
  first_join_ = absl::InfiniteFuture();
  last_join_ = absl::InfiniteFuture();
  reported_.reset();
}

}  // namespace mesh::router
