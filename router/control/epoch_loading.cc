// SPDX-License-Identifier: Apache-2.0
#include "router/control/epoch_loading.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/check.h"
#include "router/control/plan_snapshot.h"

namespace mesh::router {

size_t EpochLoading::Begin(EpochRollout rollout, const HostingPlan* active,
                           absl::Time now) {
  MESH_CHECK(!IsBusy());
  rollout_ = std::move(rollout);
  rollout_->StartLoading(now);
  size_t to_load = 0;
  for (const auto& [id, set] : rollout_->Plan()) {
    to_load += CountMissing(set, mesh_.holdings.Of(id));
  }
  mesh_.links.Note("epoch_loading", "",
                   absl::StrFormat("epoch %d (%s): %d nodes, %d experts to "
                                   "load",
                                   rollout_->Epoch(), rollout_->Reason(),
                                   rollout_->Plan().size(), to_load));
  for (const auto& [id, set] : rollout_->Plan()) {
    Member* const member = mesh_.members.Find(id);
    MESH_CHECK(member != nullptr);
    member->ordered_epoch = rollout_->Epoch();
    const auto room = MakeRoomOrder(Orders(active), id, member->capacity);
    mesh_.links.SendHosting(
        member->connection,
        room.has_value() ? *room : LoadOrder(Orders(active), id));
  }
  return to_load;
}

absl::Status EpochLoading::OnReport(const Member& member,
                                    const HoldingsReport& report,
                                    const HostingPlan* active, absl::Time now) {
  const NodeId id = member.node.id;
  if (!Names(id) || report.order_epoch != rollout_->Epoch()) {
    if (!report.error.empty()) {
      mesh_.links.Note("order_failed", member.node.name, report.error);
    }
    return absl::OkStatus();
  }
  if (!report.error.empty()) return absl::UnavailableError(report.error);
  if (report.phase == HostingPhase::kRetire) {
    // Room was made: now for the rest.
    mesh_.links.SendHosting(member.connection, LoadOrder(Orders(active), id));
    return absl::OkStatus();
  }
  if (!IsPartOf(*rollout_->PlanOf(id), mesh_.holdings.Of(id))) {
    return absl::UnavailableError("the order is not carried out");
  }
  rollout_->OnLoaded(id, now);
  return absl::OkStatus();
}

void EpochLoading::OnProgress(absl::Time now) {
  if (IsBusy()) rollout_->OnProgress(now);
}

EpochRollout EpochLoading::Activate(absl::Time now) {
  rollout_->Activate(now);
  EpochRollout rollout = *std::move(rollout_);
  rollout_.reset();
  return rollout;
}

void EpochLoading::Abandon(const std::string& why, absl::Time now) {
  rollout_->Abandon(now);
  mesh_.links.Note("epoch_abandoned", "",
                   absl::StrCat("epoch ", rollout_->Epoch(), ": ", why));
  rollout_.reset();
}

Member* EpochLoading::Stalled(absl::Time now) const {
  if (now < NextDeadline() || rollout_->StillLoading().empty()) return nullptr;
  return mesh_.members.Find(*rollout_->StillLoading().begin());
}

absl::Time EpochLoading::NextDeadline() const {
  return IsBusy() ? rollout_->LastProgress() + stall_ : absl::InfiniteFuture();
}

std::string EpochLoading::Activity() const {
  std::string names;
  for (const NodeId id : rollout_->StillLoading()) {
    const Member* const member = mesh_.members.Find(id);
    if (member == nullptr) continue;
    absl::StrAppend(&names, names.empty() ? "" : ", ", member->node.name);
  }
  return absl::StrFormat("epoch %d (%s): waiting for %s to load",
                         rollout_->Epoch(), rollout_->Reason(), names);
}

OrderContext EpochLoading::Orders(const HostingPlan* active) const {
  return {.holdings = mesh_.holdings,
          .grid = mesh_.grid,
          .loading = *rollout_,
          .active = active};
}

}  // namespace mesh::router
