// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/time/time.h"
#include "core/ids.h"

namespace mesh::attention {

// An expert node of the table, as the router tells of it.
struct ExpertPeer {
  NodeId node;
  uint64_t incarnation = 0;
  std::string name = {};
  std::string address = {};  // of its gRPC services
};

// Which expert nodes are to be dialled, and when: all of the table, again after
// a loss, with a back-off per node that a link which lasted ends. Pure but for
// what it remembers; owned by one thread at a time.
class DialSchedule {
 public:
  static constexpr absl::Duration kFirstDelay = absl::Milliseconds(50);
  static constexpr absl::Duration kLastDelay = absl::Seconds(2);

  // The nodes of a new table. Others are given up; one with another incarnation
  // or address is a new one.
  void SetNodes(std::span<const ExpertPeer> nodes);

  // Those whose time has come; they count as being dialled from now on.
  std::vector<ExpertPeer> TakeDue(absl::Time now);
  // When TakeDue() may give something.
  absl::Time NextDue() const;

  // What became of it. A loss may come at any time, also of a node that is
  // unknown, and of one that was never connected.
  void OnConnected(NodeId node, absl::Time now);
  void OnLost(NodeId node, absl::Time now);

  bool IsConnected(NodeId node) const;
  // The node that is dialled or connected is the one of this incarnation.
  bool IsCurrent(NodeId node, uint64_t incarnation) const;

 private:
  enum class State { kWaiting, kDialling, kConnected };
  struct Entry {
    ExpertPeer peer;
    State state = State::kWaiting;
    absl::Time due = absl::InfinitePast();
    absl::Time connected_at = absl::InfiniteFuture();
    absl::Duration delay = kFirstDelay;
  };

  absl::btree_map<NodeId, Entry> entries_;
};

}  // namespace mesh::attention
