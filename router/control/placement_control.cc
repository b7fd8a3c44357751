// SPDX-License-Identifier: Apache-2.0
#include "router/control/placement_control.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/check.h"
#include "core/status_macros.h"
#include "router/control/operator_table.h"

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
                                   MembershipTable& members,
                                   const TermSource& terms, NodeLinks& links)
    : options_(options),
      shape_(shape),
      grid_(shape.moe_layers, shape.num_experts),
      members_(members),
      links_(links),
      epochs_(terms),
      holdings_(grid_),
      settling_(options.settling),
      loading_({.members = members,
                .holdings = holdings_,
                .grid = grid_,
                .links = links},
               options.load_stall),
      retirement_({.members = members,
                   .holdings = holdings_,
                   .grid = grid_,
                   .links = links,
                   .epochs = epochs_},
                  options.hold) {}

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
  settling_.OnExpertJoined(!hello.holdings.empty(), now);
  // Alone, so that nodes which join together get one plan.
  WantPlan(kJoin, now + options_.settling.settle);
  if (loading_.Names(member.node.id)) {
    Abandon(absl::StrCat(member.node.name, " joined again"), now);
  } else if (loading_.IsBusy() && loading_.Rollout()->Reason() == kOrphans &&
             !HasOrphans(holdings_, grid_)) {
    Abandon("every expert is back", now);
  }
  SendActive(member);
  return absl::OkStatus();
}

void PlacementControl::OnAttentionJoined(Member& member, const Hello& hello,
                                         absl::Time now) {
  settling_.OnAttentionJoined(hello.placement, now);
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
  if (loading_.Names(member.node.id)) {
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
  if (absl::Status status =
          loading_.OnReport(member, report, ActivePlan(), now);
      !status.ok()) {
    FailOrder(member, std::string(status.message()), now);
  }
  // A node that lost weights of the active table is as a node that is lost.
  const ExpertSet* const placed =
      active_.has_value() ? active_->rollout.PlanOf(id) : nullptr;
  if (placed != nullptr && !IsPartOf(*placed, holdings_.Of(id))) {
    WantPlan(kLoss, now);
  }
  // What an order of an abandoned epoch has loaded meanwhile goes again.
  if (active_.has_value() && report.error.empty() &&
      report.phase == HostingPhase::kLoad) {
    retirement_.SetDue();
  }
  return absl::OkStatus();
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

absl::Status PlacementControl::Activate(const Placement& placement,
                                        absl::Time now) {
  ASSIGN_OR_RETURN(HostingPlan plan,
                   PlanOfOperatorTable(placement, epochs_, members_, grid_));
  if (!settling_.Done()) {
    return absl::FailedPreconditionError(
        "the router has not settled yet; see `expertmesh status`");
  }
  if (loading_.IsBusy()) Abandon("an operator's table replaces it", now);
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
  if (Member* const member = loading_.Stalled(now)) {
    FailOrder(*member, "no progress for too long", now);
  }
  RetryFailed(now);
  if (loading_.IsReady()) ActivateLoaded(now);
  if (!loading_.IsBusy() && want_.has_value() && now >= want_->at) {
    PlanNext(now);
  }
  if (!loading_.IsBusy() && active_.has_value()) {
    retirement_.Retire(active_->rollout, now);
  }
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
  active_ =
      ActiveRollout{.rollout = EpochRollout::Adopted(
                        reported->placement->Epoch(),
                        router::PlanOf(*reported->placement, grid_), now),
                    .table = std::make_shared<ReachablePlacement>(*reported)};
  links_.Note("placement_taken_over", "",
              absl::StrCat("epoch ", ActiveEpoch()));
  for (const auto& [id, member] : members_.All()) {
    if (member.adopted_epoch != ActiveEpoch()) SendActive(member);
  }
  retirement_.SetDue();
  WantPlan(kTakeOver, now);
}

void PlacementControl::PlanNext(absl::Time now) {
  const std::string reason = want_->reason;
  want_.reset();
  auto plan = MakeNextPlan(Context());
  if (plan.status() != plan_status_ && !plan.ok()) {
    links_.Note("placement_impossible", "",
                std::string(plan.status().message()));
  }
  plan_status_ = plan.status();
  if (!plan.ok()) return;
  if (active_.has_value() && plan->hosting == active_->rollout.Plan() &&
      IsSound(*active_, members_, holdings_)) {
    retirement_.SetDue();
    return;
  }
  Begin(plan->covers ? kOrphans : reason, std::move(plan->hosting), now);
}

void PlacementControl::Begin(const std::string& reason, HostingPlan plan,
                             absl::Time now) {
  const size_t to_load =
      loading_.Begin(EpochRollout(epochs_.Take(), reason, std::move(plan), now),
                     ActivePlan(), now);
  counters_.moved_bytes += to_load * shape_.expert_bytes;
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
  loading_.Abandon(why, now);
  if (active_.has_value()) retirement_.SetDue();
  if (!want_.has_value()) WantPlan(kRetry, now + options_.settling.settle);
}

void PlacementControl::ActivateLoaded(absl::Time now) {
  ActiveRollout next{.rollout = loading_.Activate(now), .table = nullptr};
  next.table = MakeTable(next.rollout, members_, grid_);
  for (const auto& [id, set] : next.rollout.Plan()) {
    members_.Find(id)->unplaced_epoch = 0;
  }
  if (active_.has_value()) {
    retirement_.Replace(std::move(active_->rollout), next.rollout, now);
  }
  active_.emplace(std::move(next));
  const EpochRollout& rollout = active_->rollout;
  ++counters_.changes[rollout.Reason()];
  counters_.last_apply = now - rollout.Proposed();
  links_.Note(
      "epoch_active", "",
      absl::StrFormat("epoch %d (%s)", ActiveEpoch(), rollout.Reason()));
  for (const auto& [id, member] : members_.All()) SendActive(member);
  retirement_.SetDue();
  if (rollout.Reason() == kOrphans) WantPlan(kRestore, now);
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

void PlacementControl::ReleaseDrained(absl::Time now) {
  retirement_.ReleaseDrained(
      active_.has_value() ? &active_->rollout : nullptr, loading_.Rollout(),
      !settling_.Done() && settling_.Reported().has_value(), now);
}

void PlacementControl::SendActive(const Member& member) const {
  if (active_.has_value() && member.Alive() &&
      (member.IsExpert() || member.IsAttention())) {
    links_.SendPlacement(member.connection, active_->table);
  }
}

absl::Time PlacementControl::NextDeadline(absl::Time now) const {
  if (!settling_.Done()) return settling_.NextDeadline(now);
  absl::Time next = loading_.NextDeadline();
  if (!loading_.IsBusy() && want_.has_value()) next = want_->at;
  for (const auto& [id, member] : members_.All()) {
    if (member.capacity_limit != SIZE_MAX && member.Alive()) {
      next = std::min(next, member.failed_at + options_.error_retry);
    }
  }
  if (active_.has_value()) {
    next = std::min(next, retirement_.NextDeadline(active_->rollout, now));
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
  if (loading_.IsBusy()) return loading_.Activity();
  if (!plan_status_.ok()) return std::string(plan_status_.message());
  return active_.has_value() ? retirement_.Activity(active_->rollout, now) : "";
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

}  // namespace mesh::router
