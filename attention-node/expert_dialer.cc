// SPDX-License-Identifier: Apache-2.0
#include "attention-node/expert_dialer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace mesh::attention {

absl::Status ExpertDialer::SetPlacement(
    std::shared_ptr<const router::Placement> placement,
    std::vector<ExpertPeer> nodes) {
  const bool same_layers =
      std::all_of(options_.layers.begin(), options_.layers.end(),
                  [&](LayerId layer) { return placement->HasLayer(layer); });
  if (placement->NumExperts() != options_.num_experts || !same_layers) {
    return absl::InvalidArgumentError(absl::StrCat(
        "placement ", placement->Epoch(), " is not of this node's model"));
  }
  {
    const MutexLock lock(mutex_);
    if (placement_ != nullptr && placement->Epoch() < placement_->Epoch()) {
      return absl::InvalidArgumentError(
          absl::StrCat("placement ", placement->Epoch(),
                       " is older than placement ", placement_->Epoch()));
    }
    // A router that asks again wants to hear again.
    adopted_told_ = 0;
    placement_ = std::move(placement);
    pending_since_ = clock_.Now();
    schedule_.SetNodes(nodes);
    peers_ = std::move(nodes);
  }
  options_.wake();
  return absl::OkStatus();
}

absl::Time ExpertDialer::Run(ExpertLinks& links) {
  std::vector<ExpertPeer> due;
  std::vector<Link> dialled;
  std::shared_ptr<const router::Placement> adoptable;
  std::optional<uint64_t> adopted;
  absl::Time next;
  {
    const MutexLock lock(mutex_);
    const absl::Time now = clock_.Now();
    const uint64_t placement_epoch =
        placement_ == nullptr ? 0 : placement_->Epoch();
    dialled.swap(links_);
    due = schedule_.TakeDue(now);
    adoptable = TakeAdoptable(now);
    if (adopted_ == placement_epoch && adopted_ != adopted_told_) {
      adopted = adopted_told_ = adopted_;
    }
    ready_ = ready_ || (adopted_ != 0 && placement_epoch == adopted_ &&
                        IsCovered(*placement_));
    next = schedule_.NextDue();
    if (pending_since_.has_value()) {
      next = std::min(next, *pending_since_ + options_.adopt_after);
    }
  }
  for (Link& link : dialled) links.Connect(link.node, std::move(link.address));
  if (adoptable != nullptr) links.SetPlacement(std::move(adoptable));
  for (const ExpertPeer& peer : due) {
    options_.dial(peer, [this, peer](absl::StatusOr<std::string> address) {
      OnDialled(peer, std::move(address));
    });
  }
  if (adopted.has_value()) {
    logger_.Info("placement_adopted", {{"epoch", *adopted}});
    options_.adopted(*adopted);
  }
  return next;
}

std::shared_ptr<const router::Placement> ExpertDialer::TakeAdoptable(
    absl::Time now) {
  if (!pending_since_.has_value()) return nullptr;
  if (!IsCovered(*placement_) && now - *pending_since_ < options_.adopt_after) {
    return nullptr;
  }
  pending_since_.reset();
  return placement_;
}

bool ExpertDialer::IsCovered(const router::Placement& placement) const {
  std::vector<bool> connected;
  for (const NodeId node : placement.Nodes()) {
    connected.push_back(schedule_.IsConnected(node));
  }
  for (const LayerId layer : options_.layers) {
    for (int e = 0; e < options_.num_experts; ++e) {
      const auto replicas =
          placement.ReplicaOrdinals(layer, ExpertId{static_cast<uint16_t>(e)});
      if (std::none_of(replicas.begin(), replicas.end(), [&](int ordinal) {
            return connected[static_cast<size_t>(ordinal)];
          })) {
        return false;
      }
    }
  }
  return true;
}

void ExpertDialer::OnDialled(const ExpertPeer& peer,
                             absl::StatusOr<std::string> address) {
  if (!address.ok()) {
    logger_.Warning("expert_dial_failed",
                    {{"expert_node", peer.name},
                     {"error", std::string(address.status().message())}});
  }
  {
    const MutexLock lock(mutex_);
    if (!schedule_.IsCurrent(peer.node, peer.incarnation)) return;
    if (address.ok()) {
      links_.push_back({peer.node, *std::move(address)});
    } else {
      schedule_.OnLost(peer.node, clock_.Now());
    }
  }
  options_.wake();
}

void ExpertDialer::OnConnected(NodeId node) {
  std::string name;
  {
    const MutexLock lock(mutex_);
    schedule_.OnConnected(node, clock_.Now());
    name = NameOf(node);
  }
  logger_.Info("expert_connected", {{"expert_node", name}});
  options_.wake();
}

void ExpertDialer::OnLost(NodeId node, const absl::Status& reason) {
  std::string name;
  {
    const MutexLock lock(mutex_);
    schedule_.OnLost(node, clock_.Now());
    name = NameOf(node);
  }
  logger_.Warning("expert_lost", {{"expert_node", name},
                                  {"reason", std::string(reason.message())}});
  options_.wake();
}

void ExpertDialer::OnAdopted(uint64_t epoch) {
  {
    const MutexLock lock(mutex_);
    adopted_ = epoch;
  }
  options_.wake();
}

bool ExpertDialer::Ready() const {
  const MutexLock lock(mutex_);
  return ready_;
}

std::vector<ExpertDialer::PeerState> ExpertDialer::Peers() const {
  const MutexLock lock(mutex_);
  std::vector<PeerState> states;
  for (const ExpertPeer& peer : peers_) {
    states.push_back({peer, schedule_.IsConnected(peer.node)});
  }
  return states;
}

std::string ExpertDialer::NameOf(NodeId node) const {
  for (const ExpertPeer& peer : peers_) {
    if (peer.node == node) return peer.name;
  }
  return absl::StrCat("node ", node.value);
}

}  // namespace mesh::attention
