// SPDX-License-Identifier: Apache-2.0
#include "router/control/holdings_table.h"

#include "absl/strings/str_format.h"

namespace mesh::router {

absl::Status HoldingsTable::Set(NodeId node,
                                std::span<const Holding> holdings) {
  Remove(node);
  ExpertSet& set = sets_[node];
  set = none_;
  for (const Holding& holding : holdings) {
    if (absl::Status status = Add(set, holding); !status.ok()) {
      Remove(node);
      return status;
    }
  }
  return absl::OkStatus();
}

absl::Status HoldingsTable::Add(ExpertSet& set, const Holding& holding) {
  const ExpertKey& key = holding.key;
  const auto index = grid_.IndexOf(key);
  if (!index.has_value() || set[*index]) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "holdings: expert %d of layer %d %s", key.expert.value, key.layer.value,
        index.has_value() ? "stands twice" : "is not in the model"));
  }
  Known& known = digests_[*index];
  if (known.holders > 0 && known.digest != holding.digest) {
    return absl::FailedPreconditionError(absl::StrFormat(
        "expert %d of layer %d has digest %s here and %s on another node; "
        "compare the model files with `expertmesh hash --check`",
        key.expert.value, key.layer.value, holding.digest.ToHex(),
        known.digest.ToHex()));
  }
  known.digest = holding.digest;
  ++known.holders;
  set[*index] = true;
  return absl::OkStatus();
}

void HoldingsTable::Remove(NodeId node) {
  const auto it = sets_.find(node);
  if (it == sets_.end()) return;
  for (size_t i = 0; i < it->second.size(); ++i) {
    if (it->second[i]) --digests_[i].holders;
  }
  sets_.erase(it);
}

const ExpertSet& HoldingsTable::Of(NodeId node) const {
  const auto it = sets_.find(node);
  return it == sets_.end() ? none_ : it->second;
}

}  // namespace mesh::router
