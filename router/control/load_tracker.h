// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "core/ids.h"
#include "router/control/load_window.h"

namespace mesh::router {

enum class LoadSpan { kSecond, kTenSeconds, kFiveMinutes, kTotal };

// Rows that chose each expert, summed over attention nodes. Their reports are
// cumulative for each incarnation, so a lost or doubled one does no harm.
// Experts are told by their index in a grid. Owned by one thread.
class LoadTracker {
 public:
  struct Entry {
    size_t index = 0;
    uint64_t tokens_total = 0;
  };
  struct Loads {
    std::span<const uint64_t> tokens;  // by index
    absl::Duration covered;
  };

  // Nobody adds more to a counter between two reports.
  static constexpr uint64_t kMostPerReport = uint64_t{1} << 40;

  LoadTracker(size_t num_experts, absl::Time now);

  // A new incarnation of `node`. `history`: its first report tells of a past
  // that this tracker has not seen; it counts in the totals only.
  void Start(NodeId node, bool history);
  void Forget(NodeId node) { sources_.erase(node); }
  // Returns how many entries were ignored because they went backwards or too
  // far ahead. REQUIRES: indices are in the grid.
  size_t Report(NodeId node, std::span<const Entry> entries, absl::Time now);

  // Valid until the next call.
  Loads Read(LoadSpan span, absl::Time now);
  std::span<const uint64_t> Totals() const { return totals_; }
  absl::Time LastReport() const { return last_report_; }

 private:
  struct Source {
    std::vector<uint64_t> totals;
    bool history = false;
  };

  const absl::Time start_;
  absl::Time last_report_ = absl::InfinitePast();
  LoadWindow second_;
  LoadWindow ten_seconds_;
  LoadWindow five_minutes_;
  std::vector<uint64_t> totals_;
  absl::flat_hash_map<NodeId, Source> sources_;
};

// Largest over mean; 1 is perfect balance, 0 without load.
double Imbalance(std::span<const uint64_t> tokens);

}  // namespace mesh::router
