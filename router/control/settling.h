// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "absl/time/time.h"
#include "router/control/membership_table.h"
#include "router/control/messages.h"

namespace mesh::router {

// Decides when a router has heard enough to plan: at the first start, and when
// it finds a mesh at work. Owned by one thread.
class Settling {
 public:
  struct Options {
    int min_expert_nodes = 1;
    absl::Duration settle = absl::Seconds(1);  // without a join
    // How long a table that must be in use is awaited, and its nodes.
    absl::Duration rebuild_limit = absl::Seconds(5);
  };

  explicit Settling(const Options& options) : options_(options) {}

  // An expert node has joined. With weights in memory it is of a mesh that was
  // at work, so that some attention node will report the table in use.
  void OnExpertJoined(bool has_weights, absl::Time now);
  // `placement`: the table that it uses.
  void OnAttentionJoined(const std::optional<ReachablePlacement>& placement,
                         absl::Time now);
  // True once there is nothing to wait for; stays true until Reset().
  bool Try(const MembershipTable& members, absl::Time now);
  bool Done() const { return done_; }
  // The highest table that a node uses.
  const std::optional<ReachablePlacement>& Reported() const {
    return reported_;
  }
  // When Try() may become true by time alone; infinite if it cannot.
  absl::Time NextDeadline(absl::Time now) const;
  // What is awaited, for people.
  std::string Activity(const MembershipTable& members) const;

 private:
  void OnJoin(absl::Time now);

  const Options options_;
  bool done_ = false;
  absl::Time first_join_ = absl::InfiniteFuture();
  absl::Time last_join_ = absl::InfiniteFuture();
  bool has_past_ = false;  // some table is in use, reported or not
  std::optional<ReachablePlacement> reported_;
};

}  // namespace mesh::router
