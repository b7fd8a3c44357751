// SPDX-License-Identifier: Apache-2.0
#include "router/control/operator_table.h"

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "core/status_macros.h"

namespace mesh::router {
namespace {

absl::Status CheckEpoch(uint64_t epoch, const EpochSequence& epochs) {
  if (epoch >> 32 != epochs.Term()) {
    return absl::AbortedError(absl::StrFormat(
        "stale_term: the placement is of term %d, this router's is %d",
        epoch >> 32, epochs.Term()));
  }
  if (epoch != epochs.Next()) {
    return absl::FailedPreconditionError(
        absl::StrFormat("the placement has epoch %d, the next one is %d", epoch,
                        epochs.Next()));
  }
  return absl::OkStatus();
}

absl::Status CheckShape(const Placement& table, const ExpertGrid& grid) {
  for (size_t i = 0; i < grid.Size(); ++i) {
    const ExpertKey key = grid.KeyOf(i);
    if (!table.HasLayer(key.layer) || key.expert.value >= table.NumExperts()) {
      return absl::FailedPreconditionError(absl::StrFormat(
          "uncovered_expert: expert %d of layer %d has no replica",
          key.expert.value, key.layer.value));
    }
  }
  if (table.Layers() != grid.Layers() ||
      static_cast<size_t>(table.NumExperts()) != grid.NumExperts()) {
    return absl::FailedPreconditionError(absl::StrFormat(
        "the placement has %d layers of %d experts, the model %d of %d",
        table.Layers().size(), table.NumExperts(), grid.Layers().size(),
        grid.NumExperts()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<HostingPlan> PlanOfOperatorTable(const Placement& table,
                                                const EpochSequence& epochs,
                                                const MembershipTable& members,
                                                const ExpertGrid& grid) {
  RETURN_IF_ERROR(CheckEpoch(table.Epoch(), epochs));
  RETURN_IF_ERROR(CheckShape(table, grid));
  HostingPlan plan = PlanOf(table, grid);
  for (const auto& [id, set] : plan) {
    const Member* const member = members.Find(id);
    if (member == nullptr || !member->Alive() || !member->IsExpert() ||
        member->draining || CountOf(set) > member->capacity) {
      return absl::FailedPreconditionError(
          absl::StrFormat("node %d is no expert node with room for %d experts",
                          id.value, CountOf(set)));
    }
  }
  return plan;
}

}  // namespace mesh::router
