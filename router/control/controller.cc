// SPDX-License-Identifier: Apache-2.0
#include "router/control/controller.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/status_macros.h"

namespace mesh::router {
namespace {

bool Computes(service::Role role) {
  return role == service::Role::kAttention || role == service::Role::kExpert;
}

}  // namespace

Controller::Controller(const Options& options, TermSource& terms,
                       NodeLinks& links, const Clock& clock)
    : options_(options),
      terms_(terms),
      links_(links),
      clock_(clock),
      members_(options.membership) {}

// Joining.

void Controller::OnConnected(ConnectionId connection) {
  if (pending_.size() >= options_.membership.max_nodes) {
    return links_.Close(connection,
                        absl::ResourceExhaustedError(
                            "too many nodes are joining; try again later"));
  }
  pending_[connection] = clock_.Now() + options_.membership.lease;
}

void Controller::OnHello(ConnectionId connection, const Hello& hello) {
  if (pending_.erase(connection) == 0) {
    if (Member* const member = members_.FindConnection(connection)) {
      Refuse(*member, absl::InvalidArgumentError(
                          "a second hello; join again with a new stream"));
    }
    return;
  }
  if (absl::Status status = Admit(connection, hello); !status.ok()) {
    links_.Note("join_refused", hello.node.name, std::string(status.message()));
    links_.Close(connection, status);
  }
}

absl::Status Controller::Admit(ConnectionId connection, const Hello& hello) {
  RETURN_IF_ERROR(CheckTerm(hello));
  RETURN_IF_ERROR(CheckModel(hello));
  const absl::Time now = clock_.Now();
  ASSIGN_OR_RETURN(const MembershipTable::Admission admission,
                   members_.Admit(hello, connection, terms_.Term(), now));
  if (admission.replaced.value != 0) {
    links_.Close(admission.replaced,
                 absl::AbortedError("the node has joined again"));
  }
  Member& member = *admission.member;
  AdoptModel(hello);
  links_.Note("node_joined", member.node.name,
              absl::StrCat("id ", member.node.id.value));
  // First: the node must know its id before it sees it in a table.
  links_.SendWelcome(connection, {.id = member.node.id, .term = terms_.Term()});
  if (absl::Status status =
          StartMember(member, hello, admission.same_incarnation);
      !status.ok()) {
    Lose(member, "refused");
    return status;
  }
  return absl::OkStatus();
}

absl::Status Controller::CheckTerm(const Hello& hello) {
  const bool known = std::any_of(
      members_.All().begin(), members_.All().end(), [&](const auto& entry) {
        return entry.second.node.incarnation == hello.node.incarnation &&
               entry.second.node.name == hello.node.name;
      });
  uint64_t seen = hello.seen_term;
  if (hello.placement.has_value()) {
    seen = std::max(seen, hello.placement->placement->Epoch() >> 32);
  }
  // A term that is as high as ours, heard elsewhere, is one too high.
  const bool foreign =
      seen > terms_.Term() ||
      (seen == terms_.Term() && !known && members_.All().empty());
  if (stepped_aside_.empty() && foreign) {
    if (placement_ != nullptr &&
        placement_->ActiveEpoch() >> 32 == terms_.Term()) {
      StepAside("another router has taken over");
      links_.Note("stepped_aside", hello.node.name,
                  absl::StrFormat("the node has seen term %d, this router's "
                                  "is %d; another router has taken over",
                                  seen, terms_.Term()));
    } else {
      RETURN_IF_ERROR(terms_.RaiseAbove(seen));
      links_.Note("term_raised", hello.node.name,
                  absl::StrCat("to ", terms_.Term()));
    }
  }
  if (stepped_aside_.empty()) return absl::OkStatus();
  return absl::UnavailableError(
      absl::StrCat(stepped_aside_, "; this one places nothing any more"));
}

absl::Status Controller::CheckModel(const Hello& hello) const {
  if (hello.model_digest.has_value() && model_.digest.has_value() &&
      *hello.model_digest != *model_.digest) {
    return absl::FailedPreconditionError(absl::StrFormat(
        "%s serves the model of digest %s, the mesh %s; give all nodes the "
        "same --model",
        hello.node.name, hello.model_digest->ToHex(), model_.digest->ToHex()));
  }
  if (!hello.numerics_class.empty() && !model_.numerics_class.empty() &&
      hello.numerics_class != model_.numerics_class) {
    return absl::FailedPreconditionError(absl::StrFormat(
        "%s computes in numerics class \"%s\", the mesh in \"%s\"; give all "
        "nodes the same --kernels",
        hello.node.name, hello.numerics_class, model_.numerics_class));
  }
  if (hello.model.has_value() && placement_ != nullptr) {
    const ModelShape& ours = placement_->Shape();
    if (hello.model->moe_layers != ours.moe_layers ||
        hello.model->num_experts != ours.num_experts ||
        hello.model->num_groups != ours.num_groups) {
      return absl::FailedPreconditionError(
          absl::StrCat(hello.node.name,
                       " has a model of another shape than the mesh; give all "
                       "nodes the same --model"));
    }
  }
  return absl::OkStatus();
}

void Controller::AdoptModel(const Hello& hello) {
  if (!Computes(hello.node.role)) return;
  if (!model_.digest.has_value()) model_.digest = hello.model_digest;
  if (model_.numerics_class.empty()) {
    model_.numerics_class = hello.numerics_class;
  }
  if (placement_ != nullptr) return;
  placement_ = std::make_unique<PlacementControl>(
      options_.placement, *hello.model, members_, terms_, links_);
  load_ = std::make_unique<LoadMonitor>(placement_->Grid(), clock_.Now());
}

absl::Status Controller::StartMember(Member& member, const Hello& hello,
                                     bool same_incarnation) {
  const absl::Time now = clock_.Now();
  switch (member.node.role) {
    case service::Role::kExpert:
      return placement_->OnExpertJoined(member, hello, now);
    case service::Role::kAttention:
      if (!same_incarnation) {
        load_->Start(member.node.id, hello.placement.has_value());
      }
      placement_->OnAttentionJoined(member, hello, now);
      return absl::OkStatus();
    default:
      links_.SendAttentionNodes(member.connection, attention_nodes_);
      return absl::OkStatus();
  }
}

// Members.

Member* Controller::SpeakerOf(ConnectionId connection) {
  Member* const member = members_.FindConnection(connection);
  if (member == nullptr && pending_.erase(connection) > 0) {
    links_.Close(connection, absl::InvalidArgumentError(
                                 "the first message must be a hello"));
  }
  return member;
}

void Controller::OnHeartbeat(ConnectionId connection, uint64_t sequence,
                             MemberStatus status) {
  Member* const member = SpeakerOf(connection);
  if (member == nullptr) return;
  member->heard = clock_.Now();
  const bool progress = status.experts_held != member->status.experts_held ||
                        status.activity != member->status.activity;
  const bool drains = status.draining && !member->draining;
  member->status = std::move(status);
  if (progress && placement_ != nullptr) {
    placement_->OnProgress(clock_.Now());
  }
  links_.SendHeartbeatAck(connection, sequence);
  if (drains && member->IsExpert()) OnLeaving(connection);
}

void Controller::OnHoldings(ConnectionId connection,
                            const HoldingsReport& report) {
  Member* const member = SpeakerOf(connection);
  if (member == nullptr) return;
  if (!member->IsExpert()) {
    return Refuse(*member, absl::InvalidArgumentError(
                               "holdings: only expert nodes have them"));
  }
  absl::Status status = placement_->OnHoldings(*member, report, clock_.Now());
  if (!status.ok()) Refuse(*member, status);
}

void Controller::OnAdopted(ConnectionId connection, uint64_t epoch) {
  Member* const member = SpeakerOf(connection);
  if (member == nullptr) return;
  if (!member->IsAttention()) {
    return Refuse(*member, absl::InvalidArgumentError(
                               "adopted: only attention nodes use a table"));
  }
  if (!placement_->OnAdopted(*member, epoch)) ++num_ignored_;
}

void Controller::OnLoad(ConnectionId connection,
                        std::span<const ExpertTokens> experts) {
  Member* const member = SpeakerOf(connection);
  if (member == nullptr) return;
  if (!member->IsAttention()) {
    return Refuse(*member, absl::InvalidArgumentError(
                               "load: only attention nodes count it"));
  }
  const auto ignored = load_->Report(member->node.id, experts, clock_.Now());
  if (!ignored.ok()) return Refuse(*member, ignored.status());
  num_ignored_ += *ignored;
}

void Controller::OnLeaving(ConnectionId connection) {
  Member* const member = SpeakerOf(connection);
  if (member == nullptr) return;
  member->draining = true;
  member->released = false;
  if (!member->IsExpert()) {
    // Its work is its own to finish; nobody waits for it here.
    member->released = true;
    links_.SendReleased(connection);
    return;
  }
  placement_->OnDraining(*member, clock_.Now());
}

void Controller::OnDisconnected(ConnectionId connection) {
  pending_.erase(connection);
  if (Member* const member = members_.FindConnection(connection)) {
    Lose(*member, "its stream ended");
  }
}

void Controller::Lose(Member& member, const std::string& why) {
  const absl::Time now = clock_.Now();
  members_.Lose(member, now);
  links_.Note(member.left_cleanly ? "node_left" : "node_lost", member.node.name,
              why);
  if (placement_ != nullptr) placement_->OnLost(member, now);
}

void Controller::Refuse(Member& member, const absl::Status& status) {
  links_.Note("node_refused", member.node.name, std::string(status.message()));
  const ConnectionId connection = member.connection;
  Lose(member, "refused");
  links_.Close(connection, status);
}

// Time.

void Controller::Tick() {
  CloseSilent();
  const absl::Time now = clock_.Now();
  for (const NodeId id : members_.Forgettable(now)) {
    if (load_ != nullptr) load_->Forget(id);
    members_.Remove(id);
  }
  ForgetModel();
  if (placement_ != nullptr && stepped_aside_.empty()) placement_->Step(now);
  if (load_ != nullptr) load_->Step(now);
  TellGateways();
}

void Controller::CloseSilent() {
  const absl::Time now = clock_.Now();
  for (Member* const member : members_.Expired(now)) {
    const ConnectionId connection = member->connection;
    Lose(*member, "no heartbeat for a lease");
    links_.Close(connection, absl::DeadlineExceededError(
                                 "no heartbeat came for a lease; join again"));
  }
  for (auto it = pending_.begin(); it != pending_.end();) {
    if (now < it->second) {
      ++it;
      continue;
    }
    links_.Close(it->first,
                 absl::DeadlineExceededError("no hello came in time"));
    it = pending_.erase(it);
  }
}

void Controller::ForgetModel() {
  if (placement_ == nullptr ||
      members_.NumAlive(service::Role::kAttention) > 0 ||
      members_.NumAlive(service::Role::kExpert) > 0) {
    return;
  }
  links_.Note("mesh_empty", "", "no node computes any more");
  placement_.reset();
  load_.reset();
  model_ = {};
}

void Controller::TellGateways() {
  std::vector<NodeIdentity> nodes;
  for (const auto& [id, member] : members_.All()) {
    if (member.Alive() && member.IsAttention() && member.status.ready &&
        !member.status.draining && !member.draining) {
      nodes.push_back(member.node);
    }
  }
  if (nodes == attention_nodes_) return;
  attention_nodes_ = std::move(nodes);
  for (const auto& [id, member] : members_.All()) {
    if (member.Alive() && member.node.role == service::Role::kGateway) {
      links_.SendAttentionNodes(member.connection, attention_nodes_);
    }
  }
}

absl::Time Controller::NextDeadline() const {
  absl::Time next = members_.NextExpiry();
  for (const auto& [connection, deadline] : pending_) {
    next = std::min(next, deadline);
  }
  if (placement_ != nullptr && stepped_aside_.empty()) {
    next = std::min(next, placement_->NextDeadline(clock_.Now()));
  }
  if (load_ != nullptr) next = std::min(next, load_->NextStep());
  return next;
}

// Calls.

absl::Status Controller::DrainNode(const std::string& name) {
  Member* const member = members_.FindName(service::Role::kExpert, name);
  if (member == nullptr || !member->Alive()) {
    return absl::NotFoundError(absl::StrCat(
        "no expert node named ", name, " is alive; see `expertmesh status`"));
  }
  links_.Note("drain_asked", name, "");
  OnLeaving(member->connection);
  return absl::OkStatus();
}

absl::Status Controller::ActivatePlacement(const Placement& placement) {
  if (placement_ == nullptr || !stepped_aside_.empty()) {
    return absl::FailedPreconditionError(
        "this router has no model to place yet");
  }
  return placement_->Activate(placement, clock_.Now());
}

absl::StatusOr<LoadMonitor::Table> Controller::ReadLoad(
    LoadSpan span, std::span<const LayerId> layers) {
  if (load_ == nullptr) {
    return absl::FailedPreconditionError("no node has joined that counts load");
  }
  return load_->Read(span, layers, clock_.Now());
}

std::string Controller::Activity() const {
  if (!stepped_aside_.empty()) return stepped_aside_;
  if (placement_ == nullptr) return "waiting for nodes";
  return placement_->Activity(clock_.Now());
}

}  // namespace mesh::router
