// SPDX-License-Identifier: Apache-2.0
#include "router/control/placement_control.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/check.h"

namespace mesh::router {
namespace {

// Reasons for an epoch, as metrics and logs name them.
constexpr char kFirst[] = "first";
constexpr char kJoin[] = "join";
constexpr char kLoss[] = "loss";
constexpr char kOrphans[] = "orphans";
constexpr char kRestore[] = "restore";
constexpr char kDrain[] = "drain";
constexpr char kError[] = "error";
constexpr char kRetry[] = "retry";
constexpr char kTakeOver[] = "takeover";
constexpr char kOperator[] = "operator";

}  // namespace

PlacementControl::PlacementControl(const Options& options,
                                   const ModelShape& shape,
                                   MembershipTable& members, TermSource& terms,
                                   NodeLinks& links)
    : options_(options),
      shape_(shape),
      grid_(shape.moe_layers, shape.num_experts),
      members_(members),
      terms_(terms),
      links_(links),
      holdings_(grid_),
      settling_(options.settling) {}

// Events.

absl::Status PlacementControl::OnExpertJoined(Member& member,
                                              const Hello& hello,
                                              absl::Time now) {
  if (absl::Status status = holdings_.Set(member.node.id, hello.holdings);
      !status.ok()) {
    return status;
  }
  if (hello.model.has_value()) {
    shape_.expert_bytes =
        std::max(shape_.expert_bytes, hello.model->expert_bytes);
  }
  settling_.OnJoin(std::nullopt, now);
  // Alone, so that nodes which join together get one plan.
  WantPlan(kJoin, now + options_.settling.settle);
  if (loading_.has_value() && loading_->PlanOf(member.node.id) != nullptr) {
    Abandon(absl::StrCat(member.node.name, " joined again"), now);
  } else if (loading_.has_value() && loading_->Reason() == kOrphans &&
             !HasOrphans(holdings_, grid_)) {
    Abandon("every expert is back", now);
  }
  SendActive(member);
  return absl::OkStatus();
}

void PlacementControl::OnAttentionJoined(Member& member, const Hello& hello,
                                         absl::Time now) {
  settling_.OnJoin(hello.placement, now);
  member.adopted_epoch = 0;
  member.earliest_epoch = ActiveEpoch();
  if (hello.placement.has_value()) {
    member.adopted_epoch = hello.placement->placement->Epoch();
    member.earliest_epoch = member.adopted_epoch;
  }
  if (member.adopted_epoch != ActiveEpoch()) SendActive(member);
}

void PlacementControl::OnLost(const Member& member, absl::Time now) {
  if (!member.IsExpert()) return;
  holdings_.Remove(member.node.id);
  WantPlan(kLoss, now);
  if (loading_.has_value() && loading_->PlanOf(member.node.id) != nullptr) {
    Abandon(absl::StrCat(member.node.name, " is gone"), now);
  }
}

void PlacementControl::OnDraining(Member& member, absl::Time now) {
  if (!member.IsExpert()) return;
  WantPlan(kDrain, now);
}

absl::Status PlacementControl::OnHoldings(Member& member,
                                          const HoldingsReport& report,
                                          absl::Time now) {
  const NodeId id = member.node.id;
  const size_t before = CountOf(holdings_.Of(id));
  if (absl::Status status = holdings_.Set(id, report.holdings); !status.ok()) {
    return status;
  }
  if (CountOf(holdings_.Of(id)) != before) OnProgress(now);
  OnOrderReport(member, report, now);
  // A node that lost weights of the active table is as a node that is lost.
  const ExpertSet* const placed =
      active_.has_value() ? active_->rollout.PlanOf(id) : nullptr;
  if (placed != nullptr && !IsPartOf(*placed, holdings_.Of(id))) {
    WantPlan(kLoss, now);
  }
  // What an order of an abandoned epoch has loaded meanwhile goes again.
  retire_due_ = retire_due_ || (active_.has_value() && report.error.empty() &&
                                report.phase == HostingPhase::kLoad);
  return absl::OkStatus();
}

void PlacementControl::OnOrderReport(Member& member,
                                     const HoldingsReport& report,
                                     absl::Time now) {
  const ExpertSet* planned =
      loading_.has_value() && report.order_epoch == loading_->Epoch()
          ? loading_->PlanOf(member.node.id)
          : nullptr;
  if (planned == nullptr) {
    if (!report.error.empty()) {
      links_.Note("order_failed", member.node.name, report.error);
    }
    return;
  }
  if (!report.error.empty()) return FailOrder(member, report.error, now);
  if (report.phase == HostingPhase::kRetire) {
    // Room was made: now for the rest.
    links_.SendHosting(member.connection, LoadOrder(Orders(), member.node.id));
    return;
  }
  if (!IsPartOf(*planned, holdings_.Of(member.node.id))) {
    return FailOrder(member, "the order is not carried out", now);
  }
  loading_->OnLoaded(member.node.id, now);
}

bool PlacementControl::OnAdopted(Member& member, uint64_t epoch) {
  const uint64_t highest =
      std::max({ActiveEpoch(), member.adopted_epoch,
                settling_.Reported().has_value()
                    ? settling_.Reported()->placement->Epoch()
                    : 0});
  if (epoch > highest) return false;
  member.adopted_epoch = std::max(member.adopted_epoch, epoch);
  member.earliest_epoch = std::max(member.earliest_epoch, epoch);
  return true;
}

void PlacementControl::OnProgress(absl::Time now) {
  if (loading_.has_value()) loading_->OnProgress(now);
}

absl::Status PlacementControl::Activate(const Placement& placement,
                                        absl::Time now) {
  const uint64_t sequence = sequence_term_ == terms_.Term() ? sequence_ : 0;
  const uint64_t next = terms_.Term() << 32 | (sequence + 1);
  if (placement.Epoch() >> 32 != terms_.Term()) {
    return absl::AbortedError(absl::StrFormat(
        "stale_term: the placement is of term %d, this router's is %d",
        placement.Epoch() >> 32, terms_.Term()));
  }
  if (placement.Epoch() != next || !settling_.Done()) {
    return absl::FailedPreconditionError(
        absl::StrFormat("the placement has epoch %d, the next one is %d",
                        placement.Epoch(), next));
  }
  for (size_t i = 0; i < grid_.Size(); ++i) {
    const ExpertKey key = grid_.KeyOf(i);
    if (!placement.HasLayer(key.layer) ||
        key.expert.value >= placement.NumExperts()) {
      return absl::FailedPreconditionError(absl::StrFormat(
          "uncovered_expert: expert %d of layer %d has no replica",
          key.expert.value, key.layer.value));
    }
  }
  HostingPlan plan = router::PlanOf(placement, grid_);
  for (const auto& [id, set] : plan) {
    const Member* const member = members_.Find(id);
    if (member == nullptr || !member->Alive() || !member->IsExpert() ||
        member->draining || CountOf(set) > member->capacity) {
      return absl::FailedPreconditionError(
          absl::StrFormat("node %d is no expert node with room for %d experts",
                          id.value, CountOf(set)));
    }
  }
  if (loading_.has_value()) Abandon("an operator's table replaces it", now);
  want_.reset();
  Begin(kOperator, std::move(plan), now);
  return absl::OkStatus();
}

// What follows.

void PlacementControl::Step(absl::Time now) {
  if (!settling_.Done()) {
    if (!settling_.Try(members_, now)) return ReleaseDrained(now);
    TakeOver(now);
  }
  if (loading_.has_value()) CheckStall(now);
  RetryFailed(now);
  if (loading_.has_value() && loading_->State() == EpochState::kReady) {
    ActivateLoaded(now);
  }
  if (!loading_.has_value() && want_.has_value() && now >= want_->at) {
    PlanNext(now);
  }
  if (!loading_.has_value()) RetireOld(now);
  ReleaseDrained(now);
}

void PlacementControl::WantPlan(const std::string& reason, absl::Time at) {
  if (!want_.has_value() || at < want_->at) want_ = Want{reason, at};
}

void PlacementControl::TakeOver(absl::Time now) {
  want_.reset();
  const auto& reported = settling_.Reported();
  const bool fits = reported.has_value() &&
                    reported->placement->Layers() == grid_.Layers() &&
                    reported->placement->NumExperts() == shape_.num_experts;
  if (!fits) return WantPlan(kFirst, now);
  active_ = ActiveEpochState{
      .rollout = EpochRollout::Adopted(
          reported->placement->Epoch(),
          router::PlanOf(*reported->placement, grid_), now),
      .table = std::make_shared<ReachablePlacement>(*reported)};
  links_.Note("placement_taken_over", "",
              absl::StrCat("epoch ", ActiveEpoch()));
  for (const auto& [id, member] : members_.All()) {
    if (member.adopted_epoch != ActiveEpoch()) SendActive(member);
  }
  retire_due_ = true;
  WantPlan(kTakeOver, now);
}

void PlacementControl::PlanNext(absl::Time now) {
  std::string reason = want_->reason;
  want_.reset();
  const bool cover = active_.has_value() && HasOrphans(holdings_, grid_);
  PlanRequest request;
  absl::StatusOr<Plan> plan = absl::ResourceExhaustedError("");
  if (cover) {
    request = MakeCoverRequest(Context());
    plan = PlanCover(request);
    if (plan.ok()) reason = kOrphans;
  }
  if (!plan.ok()) {
    request = MakePlanRequest(Context());
    plan = PlanPlacement(request);
  }
  if (plan.status() != plan_status_ && !plan.ok()) {
    links_.Note("placement_impossible", "",
                std::string(plan.status().message()));
  }
  plan_status_ = plan.status();
  if (!plan.ok()) return;
  HostingPlan hosting = ToHostingPlan(request, *plan);
  if (active_.has_value() && hosting == active_->rollout.Plan() &&
      ActiveIsSound()) {
    retire_due_ = true;
    return;
  }
  Begin(reason, std::move(hosting), now);
}

void PlacementControl::Begin(const std::string& reason, HostingPlan plan,
                             absl::Time now) {
  loading_.emplace(NextEpoch(), reason, std::move(plan), now);
  size_t to_load = 0;
  for (const auto& [id, set] : loading_->Plan()) {
    to_load += CountMissing(set, holdings_.Of(id));
  }
  counters_.moved_bytes += to_load * shape_.expert_bytes;
  loading_->StartLoading(now);
  links_.Note("epoch_loading", "",
              absl::StrFormat("epoch %d (%s): %d nodes, %d experts to load",
                              loading_->Epoch(), reason,
                              loading_->Plan().size(), to_load));
  for (const auto& [id, set] : loading_->Plan()) OrderToLoad(id);
}

void PlacementControl::OrderToLoad(NodeId node) {
  Member* const member = members_.Find(node);
  MESH_CHECK(member != nullptr);
  member->ordered_epoch = loading_->Epoch();
  const auto room = MakeRoomOrder(Orders(), node, member->capacity);
  links_.SendHosting(member->connection,
                     room.has_value() ? *room : LoadOrder(Orders(), node));
}

void PlacementControl::FailOrder(Member& member, const std::string& error,
                                 absl::Time now) {
  links_.Note("order_failed", member.node.name, error);
  // A second failure in a row must not become a busy loop of plans.
  const bool again = member.capacity_limit != SIZE_MAX;
  member.capacity_limit = CountOf(holdings_.Of(member.node.id));
  member.failed_at = now;
  WantPlan(kError, again ? now + options_.error_retry : now);
  Abandon(absl::StrCat(member.node.name, " cannot load: ", error), now);
}

void PlacementControl::Abandon(const std::string& why, absl::Time now) {
  loading_->Abandon(now);
  links_.Note("epoch_abandoned", "",
              absl::StrCat("epoch ", loading_->Epoch(), ": ", why));
  loading_.reset();
  retire_due_ = active_.has_value();
  if (!want_.has_value()) WantPlan(kRetry, now + options_.settling.settle);
}

void PlacementControl::ActivateLoaded(absl::Time now) {
  auto table = std::make_shared<ReachablePlacement>();
  table->placement = MakePlacement(loading_->Epoch(), loading_->Plan(), grid_);
  for (const auto& [id, set] : loading_->Plan()) {
    Member& member = *members_.Find(id);
    member.unplaced_epoch = 0;
    table->nodes.push_back(member.node);
  }
  loading_->Activate(now);
  if (active_.has_value()) {
    for (const auto& [id, set] : active_->rollout.Plan()) {
      Member* const member = members_.Find(id);
      if (member != nullptr && loading_->PlanOf(id) == nullptr) {
        member->unplaced_epoch = loading_->Epoch();
      }
    }
    active_->rollout.Drain(now);
    draining_.push_back(std::move(active_->rollout));
  }
  active_.emplace(ActiveEpochState{*std::move(loading_), std::move(table)});
  loading_.reset();
  const EpochRollout& rollout = active_->rollout;
  ++counters_.changes[rollout.Reason()];
  counters_.last_apply = now - rollout.Proposed();
  links_.Note(
      "epoch_active", "",
      absl::StrFormat("epoch %d (%s)", ActiveEpoch(), rollout.Reason()));
  for (const auto& [id, member] : members_.All()) SendActive(member);
  retire_due_ = true;
  if (rollout.Reason() == kOrphans) WantPlan(kRestore, now);
}

void PlacementControl::CheckStall(absl::Time now) {
  if (now < loading_->LastProgress() + options_.load_stall ||
      loading_->StillLoading().empty()) {
    return;
  }
  FailOrder(*members_.Find(*loading_->StillLoading().begin()),
            "no progress for too long", now);
}

void PlacementControl::RetryFailed(absl::Time now) {
  for (auto& [id, member] : members_.All()) {
    if (member.capacity_limit == SIZE_MAX || !member.Alive() ||
        now < member.failed_at + options_.error_retry) {
      continue;
    }
    member.capacity_limit = SIZE_MAX;
    WantPlan(kRetry, now);
  }
}

void PlacementControl::RetireOld(absl::Time now) {
  if (!retire_due_ || !active_.has_value() || !IsAdopted(ActiveEpoch(), now)) {
    return;
  }
  retire_due_ = false;
  uint64_t fresh = 0;  // above orders of epochs that never became active
  for (auto& [id, member] : members_.All()) {
    if (!member.Alive() || !member.IsExpert()) continue;
    const ExpertSet* const placed = active_->rollout.PlanOf(id);
    const ExpertSet& held = holdings_.Of(id);
    const bool extra =
        placed == nullptr ? CountOf(held) > 0 : !IsPartOf(held, *placed);
    const bool newer = member.ordered_epoch > ActiveEpoch() ||
                       ActiveEpoch() >> 32 != terms_.Term();
    if (!extra && member.ordered_epoch <= ActiveEpoch()) continue;
    if (newer && fresh == 0) fresh = NextEpoch();
    const uint64_t epoch = newer ? fresh : ActiveEpoch();
    links_.SendHosting(member.connection,
                       RetireOrder(active_->rollout.Plan(), grid_, id, epoch));
    member.ordered_epoch = 0;
  }
  for (EpochRollout& rollout : draining_) rollout.Retire(now);
  draining_.clear();
}

void PlacementControl::ReleaseDrained(absl::Time now) {
  for (auto& [id, member] : members_.All()) {
    if (!member.Alive() || !member.draining || member.released) continue;
    if (member.IsExpert()) {
      const bool placed =
          (active_.has_value() && active_->rollout.PlanOf(id) != nullptr) ||
          (loading_.has_value() && loading_->PlanOf(id) != nullptr);
      if (placed || !IsAdopted(member.unplaced_epoch, now)) continue;
      // A table that was reported, but not taken over yet, may name it.
      if (!settling_.Done() && settling_.Reported().has_value()) continue;
    }
    member.released = true;
    links_.Note("released", member.node.name, "");
    links_.SendReleased(member.connection);
  }
}

void PlacementControl::SendActive(const Member& member) const {
  if (active_.has_value() && member.Alive() &&
      (member.IsExpert() || member.IsAttention())) {
    links_.SendPlacement(member.connection, active_->table);
  }
}

bool PlacementControl::ActiveIsSound() const {
  for (const NodeIdentity& node : active_->table->nodes) {
    const Member* const member = members_.Find(node.id);
    if (member == nullptr || !member->Alive() || member->node != node) {
      return false;
    }
  }
  for (const auto& [id, set] : active_->rollout.Plan()) {
    if (!IsPartOf(set, holdings_.Of(id))) return false;
  }
  return true;
}

bool PlacementControl::IsAdopted(uint64_t epoch, absl::Time now) const {
  for (const auto& [id, member] : members_.All()) {
    if (!member.IsAttention() || member.earliest_epoch >= epoch ||
        member.left_cleanly) {
      continue;
    }
    const absl::Time since =
        member.Alive() ? active_->rollout.Since() : member.gone_at;
    if (now < since + options_.hold) return false;
  }
  return true;
}

absl::Time PlacementControl::NextDeadline(absl::Time now) const {
  if (!settling_.Done()) return settling_.NextDeadline(now);
  absl::Time next = absl::InfiniteFuture();
  if (loading_.has_value()) {
    next = loading_->LastProgress() + options_.load_stall;
  } else if (want_.has_value()) {
    next = want_->at;
  }
  for (const auto& [id, member] : members_.All()) {
    if (member.capacity_limit != SIZE_MAX && member.Alive()) {
      next = std::min(next, member.failed_at + options_.error_retry);
    }
    if (!active_.has_value() || !member.IsAttention()) continue;
    const absl::Time hold =
        (member.Alive() ? active_->rollout.Since() : member.gone_at) +
        options_.hold;
    if (hold > now) next = std::min(next, hold);
  }
  return next;
}

std::shared_ptr<const ReachablePlacement> PlacementControl::Active() const {
  return active_.has_value() ? active_->table : nullptr;
}

uint64_t PlacementControl::ActiveEpoch() const {
  return active_.has_value() ? active_->rollout.Epoch() : 0;
}

size_t PlacementControl::NumPlaced(NodeId node) const {
  const ExpertSet* const placed =
      active_.has_value() ? active_->rollout.PlanOf(node) : nullptr;
  return placed == nullptr ? 0 : CountOf(*placed);
}

std::string PlacementControl::Activity(absl::Time now) const {
  if (!settling_.Done()) return settling_.Activity(members_);
  if (loading_.has_value()) {
    std::string names;
    for (const NodeId id : loading_->StillLoading()) {
      const Member* const member = members_.Find(id);
      if (member == nullptr) continue;
      absl::StrAppend(&names, names.empty() ? "" : ", ", member->node.name);
    }
    return absl::StrFormat("epoch %d (%s): waiting for %s to load",
                           loading_->Epoch(), loading_->Reason(), names);
  }
  if (!plan_status_.ok()) return std::string(plan_status_.message());
  if (!retire_due_ || !active_.has_value()) return "";
  for (const auto& [id, member] : members_.All()) {
    if (member.IsAttention() && !member.left_cleanly &&
        member.earliest_epoch < ActiveEpoch()) {
      return absl::StrFormat("epoch %d: waiting for %s to adopt it%s",
                             ActiveEpoch(), member.node.name,
                             member.Alive() ? "" : ", which is gone");
    }
  }
  return IsAdopted(ActiveEpoch(), now)
             ? ""
             : absl::StrFormat("epoch %d: freeing what is not needed",
                               ActiveEpoch());
}

uint64_t PlacementControl::NextEpoch() {
  if (sequence_term_ != terms_.Term()) {
    sequence_term_ = terms_.Term();
    sequence_ = 0;
  }
  return terms_.Term() << 32 | ++sequence_;
}

const HostingPlan* PlacementControl::ActivePlan() const {
  return active_.has_value() ? &active_->rollout.Plan() : nullptr;
}

PlanContext PlacementControl::Context() const {
  return {.members = members_,
          .holdings = holdings_,
          .grid = grid_,
          .active = ActivePlan(),
          .num_groups = shape_.num_groups,
          .num_replicas = options_.num_replicas};
}

OrderContext PlacementControl::Orders() const {
  return {.holdings = holdings_,
          .grid = grid_,
          .loading = *loading_,
          .active = ActivePlan()};
}

}  // namespace mesh::router
