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
    // How long nodes of a reported table are awaited.
    absl::Duration rebuild_limit = absl::Seconds(5);
  };

  explicit Settling(const Options& options) : options_(options) {}

  // A node that computes has joined; `placement` is the table that it uses.
  void OnJoin(const std::optional<ReachablePlacement>& placement,
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
  void Reset();

 private:
  const Options options_;
  bool done_ = false;
  absl::Time first_join_ = absl::InfiniteFuture();
  absl::Time last_join_ = absl::InfiniteFuture();
  std::optional<ReachablePlacement> reported_;
};

}  // namespace mesh::router
