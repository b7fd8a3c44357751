// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/ids.h"
#include "router/control/messages.h"

namespace mesh::router {

// One node, from its first join until it has been gone for a while.
struct Member {
  NodeIdentity node;
  ConnectionId connection;  // 0: the node is gone
  absl::Time heard;         // last heartbeat, or the join
  absl::Time gone_at;
  bool left_cleanly = false;  // it is gone, and was released before
  MemberStatus status;
  // Leaving, or told to drain: takes no new work.
  bool draining = false;
  bool released = false;
  // Attention nodes: the table in use, and the earliest that may be.
  uint64_t adopted_epoch = 0;
  uint64_t earliest_epoch = 0;
  // Expert nodes: room for experts, and less of it after a failed order.
  size_t capacity = 0;
  size_t capacity_limit = SIZE_MAX;
  absl::Time failed_at;
  // Expert nodes: the epoch that took the last expert from it; 0: none did, or
  // it hosts some.
  uint64_t unplaced_epoch = 0;
  uint64_t ordered_epoch = 0;  // of the last order that it was sent

  bool Alive() const { return connection.value != 0; }
  bool IsExpert() const { return node.role == service::Role::kExpert; }
  bool IsAttention() const { return node.role == service::Role::kAttention; }
};

// Who is in the mesh. Ids are kept by (role, name). Owned by one thread.
class MembershipTable {
 public:
  struct Options {
    size_t max_nodes = 1024;
    absl::Duration lease = absl::Seconds(2);
    // How long a node that is gone is remembered.
    absl::Duration remember = absl::Minutes(10);
  };

  struct Admission {
    Member* member = nullptr;
    // The node's stream before, to be closed; 0: none.
    ConnectionId replaced;
    bool same_incarnation = false;  // it was here before, and did not restart
  };

  explicit MembershipTable(const Options& options) : options_(options) {}

  // Takes a node in, or back. Errors: kAlreadyExists while another incarnation
  // of that name is alive; kResourceExhausted at the largest number of nodes.
  absl::StatusOr<Admission> Admit(const Hello& hello, ConnectionId connection,
                                  uint64_t term, absl::Time now);
  void Lose(Member& member, absl::Time now);
  // Nothing is remembered of it.
  void Remove(NodeId id);

  // Null if there is none.
  Member* Find(NodeId id);
  const Member* Find(NodeId id) const;
  Member* FindConnection(ConnectionId connection);
  Member* FindName(service::Role role, const std::string& name);

  // Alive, but without a heartbeat for a lease.
  std::vector<Member*> Expired(absl::Time now);
  // When the next of them would be; infinite if nobody is alive.
  absl::Time NextExpiry() const;
  // Ids of nodes that need no longer be remembered.
  std::vector<NodeId> Forgettable(absl::Time now) const;

  const std::map<NodeId, Member>& All() const { return members_; }
  std::map<NodeId, Member>& All() { return members_; }
  size_t NumAlive(service::Role role) const;

 private:
  NodeId ChooseId(const Hello& hello, uint64_t term);

  const Options options_;
  std::map<NodeId, Member> members_;
  absl::flat_hash_map<ConnectionId, NodeId> by_connection_;
  uint32_t num_ids_ = 0;
};

}  // namespace mesh::router
