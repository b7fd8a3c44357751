// SPDX-License-Identifier: Apache-2.0
#include "router/control/load_tracker.h"

#include <algorithm>
#include <numeric>

#include "core/check.h"

namespace mesh::router {

LoadTracker::LoadTracker(size_t num_experts, absl::Time now)
    : start_(now),
      second_(num_experts, absl::Seconds(1), 4, now),
      ten_seconds_(num_experts, absl::Seconds(10), 10, now),
      five_minutes_(num_experts, absl::Minutes(5), 30, now),
      totals_(num_experts, 0) {}

void LoadTracker::Start(NodeId node, bool history) {
  sources_[node] = {.totals = std::vector<uint64_t>(totals_.size(), 0),
                    .history = history};
}

size_t LoadTracker::Report(NodeId node, std::span<const Entry> entries,
                           absl::Time now) {
  const auto it = sources_.find(node);
  if (it == sources_.end()) return entries.size();
  Source& source = it->second;
  size_t ignored = 0;
  for (const Entry& entry : entries) {
    MESH_CHECK(entry.index < totals_.size());
    uint64_t& before = source.totals[entry.index];
    if (entry.tokens_total < before ||
        entry.tokens_total - before > kMostPerReport) {
      ++ignored;
      continue;
    }
    const uint64_t more = entry.tokens_total - before;
    before = entry.tokens_total;
    totals_[entry.index] += more;
    if (source.history || more == 0) continue;
    second_.Add(entry.index, more, now);
    ten_seconds_.Add(entry.index, more, now);
    five_minutes_.Add(entry.index, more, now);
  }
  source.history = false;
  last_report_ = now;
  return ignored;
}

LoadTracker::Loads LoadTracker::Read(LoadSpan span, absl::Time now) {
  const auto read = [now](LoadWindow& window) {
    window.Advance(now);
    return Loads{.tokens = window.Sums(),
                 .covered = now - window.CoveredSince()};
  };
  switch (span) {
    case LoadSpan::kSecond:
      return read(second_);
    case LoadSpan::kTenSeconds:
      return read(ten_seconds_);
    case LoadSpan::kFiveMinutes:
      return read(five_minutes_);
    case LoadSpan::kTotal:
      break;
  }
  return {.tokens = totals_, .covered = now - start_};
}

double Imbalance(std::span<const uint64_t> tokens) {
  const uint64_t sum =
      std::accumulate(tokens.begin(), tokens.end(), uint64_t{0});
  if (sum == 0) return 0;
  const uint64_t most = *std::max_element(tokens.begin(), tokens.end());
  return static_cast<double>(most) * static_cast<double>(tokens.size()) /
         static_cast<double>(sum);
}

}  // namespace mesh::router
