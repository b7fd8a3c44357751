// SPDX-License-Identifier: Apache-2.0
#include "router/control/epoch_retirement.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "router/control/hosting_orders.h"
#include "router/control/plan_snapshot.h"

namespace mesh::router {

void EpochRetirement::Replace(EpochRollout old, const EpochRollout& active,
                              absl::Time now) {
  for (const auto& [id, set] : old.Plan()) {
    Member* const member = mesh_.members.Find(id);
    if (member != nullptr && active.PlanOf(id) == nullptr) {
      member->unplaced_epoch = active.Epoch();
    }
  }
  old.Drain(now);
  draining_.push_back(std::move(old));
}

void EpochRetirement::Retire(const EpochRollout& active, absl::Time now) {
  if (!due_ || !IsAdopted(active.Epoch(), &active, now)) return;
  due_ = false;
  uint64_t fresh = 0;  // above orders of epochs that never became active
  for (auto& [id, member] : mesh_.members.All()) {
    if (!member.Alive() || !member.IsExpert()) continue;
    const ExpertSet* const placed = active.PlanOf(id);
    const ExpertSet& held = mesh_.holdings.Of(id);
    const bool extra =
        placed == nullptr ? CountOf(held) > 0 : !IsPartOf(held, *placed);
    const bool newer = member.ordered_epoch > active.Epoch() ||
                       active.Epoch() >> 32 != mesh_.epochs.Term();
    if (!extra && member.ordered_epoch <= active.Epoch()) continue;
    if (newer && fresh == 0) fresh = mesh_.epochs.Take();
    const uint64_t epoch = newer ? fresh : active.Epoch();
    mesh_.links.SendHosting(member.connection,
                            RetireOrder(active.Plan(), mesh_.grid, id, epoch));
    member.ordered_epoch = 0;
  }
  for (EpochRollout& rollout : draining_) rollout.Retire(now);
  draining_.clear();
}

void EpochRetirement::ReleaseDrained(const EpochRollout* active,
                                     const EpochRollout* loading,
                                     bool undecided, absl::Time now) {
  for (auto& [id, member] : mesh_.members.All()) {
    if (!member.Alive() || !member.draining || member.released) continue;
    if (member.IsExpert()) {
      const bool placed =
          (active != nullptr && active->PlanOf(id) != nullptr) ||
          (loading != nullptr && loading->PlanOf(id) != nullptr);
      if (placed || undecided ||
          !IsAdopted(member.unplaced_epoch, active, now)) {
        continue;
      }
    }
    member.released = true;
    mesh_.links.Note("released", member.node.name, "");
    mesh_.links.SendReleased(member.connection);
  }
}

absl::Time EpochRetirement::HoldEnd(const Member& member,
                                    const EpochRollout& active) const {
  return (member.Alive() ? active.Since() : member.gone_at) + hold_;
}

bool EpochRetirement::IsAdopted(uint64_t epoch, const EpochRollout* active,
                                absl::Time now) const {
  if (active == nullptr) return true;
  const auto& members = mesh_.members.All();
  return std::all_of(members.begin(), members.end(), [&](const auto& entry) {
    const Member& member = entry.second;
    return !member.IsAttention() || member.earliest_epoch >= epoch ||
           member.left_cleanly || now >= HoldEnd(member, *active);
  });
}

absl::Time EpochRetirement::NextDeadline(const EpochRollout& active,
                                         absl::Time now) const {
  absl::Time next = absl::InfiniteFuture();
  for (const auto& [id, member] : mesh_.members.All()) {
    if (!member.IsAttention()) continue;
    const absl::Time end = HoldEnd(member, active);
    if (end > now) next = std::min(next, end);
  }
  return next;
}

std::string EpochRetirement::Activity(const EpochRollout& active,
                                      absl::Time now) const {
  if (!due_) return "";
  for (const auto& [id, member] : mesh_.members.All()) {
    if (member.IsAttention() && !member.left_cleanly &&
        member.earliest_epoch < active.Epoch()) {
      return absl::StrFormat("epoch %d: waiting for %s to adopt it%s",
                             active.Epoch(), member.node.name,
                             member.Alive() ? "" : ", which is gone");
    }
  }
  return IsAdopted(active.Epoch(), &active, now)
             ? ""
             : absl::StrFormat("epoch %d: freeing what is not needed",
                               active.Epoch());
}

}  // namespace mesh::router
