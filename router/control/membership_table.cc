// SPDX-License-Identifier: Apache-2.0
#include "router/control/membership_table.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace mesh::router {

absl::StatusOr<MembershipTable::Admission> MembershipTable::Admit(
    const Hello& hello, ConnectionId connection, uint64_t term,
    absl::Time now) {
  Admission admission;
  Member* member = FindName(hello.node.role, hello.node.name);
  if (member != nullptr && member->Alive()) {
    if (member->node.incarnation != hello.node.incarnation) {
      return absl::AlreadyExistsError(
          absl::StrCat("a node named ", hello.node.name,
                       " is alive; stop it or choose another --name"));
    }
    admission.replaced = member->connection;
    by_connection_.erase(member->connection);
  } else if (static_cast<size_t>(std::count_if(members_.begin(), members_.end(),
                                               [](const auto& entry) {
                                                 return entry.second.Alive();
                                               })) >= options_.max_nodes) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "the mesh has ", options_.max_nodes,
        " nodes, as many as its router allows; raise --max-nodes"));
  }
  if (member == nullptr) {
    const NodeId id = ChooseId(hello, term);
    member = &members_[id];
    member->node.id = id;
  }
  const NodeId id = member->node.id;
  admission.same_incarnation =
      member->node.incarnation == hello.node.incarnation;
  if (!admission.same_incarnation) *member = Member();
  member->node = hello.node;
  member->node.id = id;
  member->connection = connection;
  member->heard = now;
  member->released = false;
  member->left_cleanly = false;
  member->capacity = static_cast<size_t>(hello.capacity_experts);
  by_connection_[connection] = id;
  admission.member = member;
  return admission;
}

NodeId MembershipTable::ChooseId(const Hello& hello, uint64_t term) {
  // An earlier router gave it; placements in use know the node by it.
  if (hello.node.id.value != 0 && Find(hello.node.id) == nullptr) {
    return hello.node.id;
  }
  NodeId id;
  do {
    id = NodeId{static_cast<uint32_t>(term << 16) + ++num_ids_};
  } while (id.value == 0 || Find(id) != nullptr);
  return id;
}

void MembershipTable::Lose(Member& member, absl::Time now) {
  by_connection_.erase(member.connection);
  member.connection = {};
  member.gone_at = now;
  member.left_cleanly = member.released;
}

void MembershipTable::Remove(NodeId id) {
  const auto it = members_.find(id);
  if (it == members_.end()) return;
  by_connection_.erase(it->second.connection);
  members_.erase(it);
}

Member* MembershipTable::Find(NodeId id) {
  const auto it = members_.find(id);
  return it == members_.end() ? nullptr : &it->second;
}

const Member* MembershipTable::Find(NodeId id) const {
  const auto it = members_.find(id);
  return it == members_.end() ? nullptr : &it->second;
}

Member* MembershipTable::FindConnection(ConnectionId connection) {
  const auto it = by_connection_.find(connection);
  return it == by_connection_.end() ? nullptr : Find(it->second);
}

Member* MembershipTable::FindName(service::Role role, const std::string& name) {
  for (auto& [id, member] : members_) {
    if (member.node.role == role && member.node.name == name) return &member;
  }
  return nullptr;
}

std::vector<Member*> MembershipTable::Expired(absl::Time now) {
  std::vector<Member*> expired;
  for (auto& [id, member] : members_) {
    if (member.Alive() && now - member.heard >= options_.lease) {
      expired.push_back(&member);
    }
  }
  return expired;
}

absl::Time MembershipTable::NextExpiry() const {
  absl::Time next = absl::InfiniteFuture();
  for (const auto& [id, member] : members_) {
    if (member.Alive()) next = std::min(next, member.heard + options_.lease);
  }
  return next;
}

std::vector<NodeId> MembershipTable::Forgettable(absl::Time now) const {
  std::vector<NodeId> ids;
  for (const auto& [id, member] : members_) {
    if (!member.Alive() && now - member.gone_at >= options_.remember) {
      ids.push_back(id);
    }
  }
  return ids;
}

size_t MembershipTable::NumAlive(service::Role role) const {
  return static_cast<size_t>(
      std::count_if(members_.begin(), members_.end(), [role](const auto& m) {
        return m.second.Alive() && m.second.node.role == role;
      }));
}

}  // namespace mesh::router
