// SPDX-License-Identifier: Apache-2.0
#include "attention-node/dial_schedule.h"

#include <algorithm>
#include <utility>

namespace mesh::attention {

void DialSchedule::SetNodes(std::span<const ExpertPeer> nodes) {
  absl::btree_map<NodeId, Entry> entries;
  for (const ExpertPeer& node : nodes) {
    const auto known = entries_.find(node.node);
    if (known != entries_.end() &&
        known->second.peer.incarnation == node.incarnation &&
        known->second.peer.address == node.address) {
      entries[node.node] = std::move(known->second);
    } else {
      entries[node.node] = {.peer = node};
    }
  }
  entries_ = std::move(entries);
}

std::vector<ExpertPeer> DialSchedule::TakeDue(absl::Time now) {
  std::vector<ExpertPeer> due;
  for (auto& [node, entry] : entries_) {
    if (entry.state != State::kWaiting || entry.due > now) continue;
    entry.state = State::kDialling;
    due.push_back(entry.peer);
  }
  return due;
}

absl::Time DialSchedule::NextDue() const {
  absl::Time next = absl::InfiniteFuture();
  for (const auto& [node, entry] : entries_) {
    if (entry.state == State::kWaiting) next = std::min(next, entry.due);
  }
  return next;
}

void DialSchedule::OnConnected(NodeId node, absl::Time now) {
  const auto found = entries_.find(node);
  if (found == entries_.end()) return;
  found->second.state = State::kConnected;
  found->second.connected_at = now;
}

void DialSchedule::OnLost(NodeId node, absl::Time now) {
  const auto found = entries_.find(node);
  if (found == entries_.end()) return;
  Entry& entry = found->second;
  if (entry.state == State::kWaiting) return;
  if (entry.state == State::kConnected &&
      now - entry.connected_at > kLastDelay) {
    entry.delay = kFirstDelay;
  }
  entry.state = State::kWaiting;
  entry.due = now + entry.delay;
  entry.delay = std::min(2 * entry.delay, kLastDelay);
}

bool DialSchedule::IsConnected(NodeId node) const {
  const auto found = entries_.find(node);
  return found != entries_.end() && found->second.state == State::kConnected;
}

bool DialSchedule::IsCurrent(NodeId node, uint64_t incarnation) const {
  const auto found = entries_.find(node);
  return found != entries_.end() &&
         found->second.peer.incarnation == incarnation;
}

}  // namespace mesh::attention
