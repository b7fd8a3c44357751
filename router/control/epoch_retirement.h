// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "router/control/epoch_rollout.h"
#include "router/control/epoch_sequence.h"
#include "router/control/holdings_table.h"
#include "router/control/membership_table.h"
#include "router/control/node_links.h"
#include "router/placement/expert_grid.h"

namespace mesh::router {

// Frees what the active epoch does not give, and lets drained nodes go, once no
// attention node can use an earlier one: docs/control_plane.md. Owned by the
// control thread.
class EpochRetirement {
 public:
  // All outlive the retirement.
  struct Mesh {
    MembershipTable& members;
    const HoldingsTable& holdings;
    const ExpertGrid& grid;
    NodeLinks& links;
    EpochSequence& epochs;
  };

  // `hold`: how long it waits for attention nodes that do not adopt.
  EpochRetirement(const Mesh& mesh, absl::Duration hold)
      : mesh_(mesh), hold_(hold) {}

  // Something may be held that the active epoch does not give.
  void SetDue() { due_ = true; }
  bool IsDue() const { return due_; }

  // `active` takes the place of `old`.
  void Replace(EpochRollout old, const EpochRollout& active, absl::Time now);
  // Sends RETIRE orders if they are due and may go.
  void Retire(const EpochRollout& active, absl::Time now);
  // Null: there is none. `undecided`: a table was reported that is not taken
  // over yet, and may name any expert node.
  void ReleaseDrained(const EpochRollout* active, const EpochRollout* loading,
                      bool undecided, absl::Time now);

  // When Retire() or ReleaseDrained() may have something to do by time alone.
  absl::Time NextDeadline(const EpochRollout& active, absl::Time now) const;
  // What is awaited, for people; empty if nothing.
  std::string Activity(const EpochRollout& active, absl::Time now) const;

 private:
  // When the attention node is no longer waited for.
  absl::Time HoldEnd(const Member& member, const EpochRollout& active) const;
  // Whether nobody can use a table before `epoch`.
  bool IsAdopted(uint64_t epoch, const EpochRollout* active,
                 absl::Time now) const;

  const Mesh mesh_;
  const absl::Duration hold_;
  bool due_ = false;
  std::vector<EpochRollout> draining_;
};

}  // namespace mesh::router
