// SPDX-License-Identifier: Apache-2.0
#include "router/control/load_monitor.h"

#include <algorithm>

#include "absl/strings/str_format.h"

namespace mesh::router {
namespace {

constexpr absl::Duration kStepInterval = absl::Seconds(1);
// Older telemetry moves no bias.
constexpr absl::Duration kStale = absl::Seconds(3);

}  // namespace

absl::StatusOr<size_t> LoadMonitor::Report(
    NodeId node, std::span<const ExpertTokens> experts, absl::Time now) {
  std::vector<LoadTracker::Entry> entries;
  for (const ExpertTokens& expert : experts) {
    const auto index = grid_.IndexOf(expert.key);
    if (!index.has_value()) {
      return absl::InvalidArgumentError(absl::StrFormat(
          "load report: expert %d of layer %d is not in the model",
          expert.key.expert.value, expert.key.layer.value));
    }
    entries.push_back({.index = *index, .tokens_total = expert.tokens_total});
  }
  next_step_ = std::min(next_step_, now + kStepInterval);
  return tracker_.Report(node, entries, now);
}

void LoadMonitor::Step(absl::Time now) {
  if (now < next_step_) return;
  const auto tokens = tracker_.Read(LoadSpan::kTenSeconds, now).tokens;
  const bool idle = std::all_of(tokens.begin(), tokens.end(),
                                [](uint64_t count) { return count == 0; });
  // Without load there is nothing to do until the next report.
  next_step_ = idle ? absl::InfiniteFuture() : now + kStepInterval;
  if (idle || now - tracker_.LastReport() > kStale) return;
  const size_t num_experts = grid_.NumExperts();
  for (size_t l = 0; l < grid_.Layers().size(); ++l) {
    StepBias(tokens.subspan(l * num_experts, num_experts), {},
             std::span(bias_).subspan(l * num_experts, num_experts));
  }
}

absl::StatusOr<LoadMonitor::Table> LoadMonitor::Read(
    LoadSpan span, std::span<const LayerId> layers, absl::Time now) {
  const LoadTracker::Loads loads = tracker_.Read(span, now);
  Table table{.span = span, .covered = loads.covered, .layers = {}};
  const std::vector<LayerId> wanted =
      layers.empty() ? grid_.Layers()
                     : std::vector<LayerId>(layers.begin(), layers.end());
  for (const LayerId layer : wanted) {
    const auto first = grid_.IndexOf({layer, ExpertId{0}});
    if (!first.has_value()) {
      return absl::InvalidArgumentError(absl::StrFormat(
          "layers: layer %d has no routed experts", layer.value));
    }
    const auto tokens = loads.tokens.subspan(*first, grid_.NumExperts());
    const auto bias = std::span(bias_).subspan(*first, grid_.NumExperts());
    table.layers.push_back({.layer = layer,
                            .tokens = {tokens.begin(), tokens.end()},
                            .imbalance = Imbalance(tokens),
                            .proposed_bias = {bias.begin(), bias.end()}});
  }
  return table;
}

}  // namespace mesh::router
