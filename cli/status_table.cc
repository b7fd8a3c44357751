// SPDX-License-Identifier: Apache-2.0
#include "cli/status_table.h"

#include <algorithm>
#include <cstddef>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/text_table.h"

namespace mesh::cli {
namespace {

constexpr size_t kDigestPrefix = 12;  // enough to tell models apart
constexpr size_t kNumHottest = 8;

const NodeView* FindNode(const MeshState* state, const std::string& name) {
  if (state == nullptr) return nullptr;
  for (const NodeView& node : state->nodes) {
    if (node.name == name) return &node;
  }
  return nullptr;
}

// A count that grows, as a rate if there is an earlier one.
std::string CountText(uint64_t now, const uint64_t* before, double seconds) {
  if (before == nullptr || seconds <= 0) return absl::StrCat(now);
  // A node that restarted begins at 0 again.
  const uint64_t grown = now >= *before ? now - *before : now;
  return absl::StrFormat("%.1f/s", static_cast<double>(grown) / seconds);
}

std::string KvText(const NodeView& node) {
  if (node.kv_blocks_total == 0) return "-";
  const uint64_t used = node.kv_blocks_total - node.kv_blocks_free;
  return absl::StrFormat("%d/%d", used, node.kv_blocks_total);
}

std::vector<std::string> NodeRow(const NodeView& node, const NodeView* before,
                                 double seconds) {
  const bool attends = node.role == "attention-node";
  const bool computes = node.role == "expert-node";
  return {
      node.name,
      node.role,
      std::string(HealthText(node.health)),
      computes ? absl::StrCat(node.experts_placed, "/", node.experts_held, "/",
                              node.experts_capacity)
               : "-",
      EpochText(node.adopted_epoch),
      node.lane.empty() ? "-" : node.lane,
      node.rss_bytes == 0 ? "-"
                          : BytesText(static_cast<double>(node.rss_bytes)),
      KvText(node),
      attends ? absl::StrCat(node.streams_running, "/", node.streams_waiting)
              : "-",
      attends ? CountText(node.emitted_tokens,
                          before == nullptr ? nullptr : &before->emitted_tokens,
                          seconds)
              : "-",
      computes ? absl::StrCat(node.rows_computed) : "-",
      computes && before != nullptr
          ? CountText(node.rows_computed, &before->rows_computed, seconds)
          : "-",
      absl::StrFormat("%.1f s", node.heartbeat_age_seconds),
      node.activity,
  };
}

std::string HeadLine(const MeshState& state) {
  std::string model = "none yet";
  if (!state.model_digest.empty()) {
    model = state.model_digest.substr(0, kDigestPrefix);
  }
  return absl::StrCat("model ", model, "  numerics ",
                      state.numerics.empty() ? "-" : state.numerics,
                      "  router ", state.router_address, "  term ", state.term,
                      "  epoch ", EpochText(state.active_epoch), "  ",
                      state.activity.empty() ? "steady" : state.activity, "\n");
}

// The experts that most rows chose, hottest first.
std::string HottestText(const LoadView& load) {
  std::vector<std::tuple<uint64_t, uint32_t, size_t>> all;
  for (const LayerLoadView& layer : load.layers) {
    for (size_t expert = 0; expert < layer.rows.size(); ++expert) {
      if (layer.rows[expert] == 0) continue;
      all.emplace_back(layer.rows[expert], layer.layer, expert);
    }
  }
  if (all.empty()) return "no rows";
  const size_t count = std::min(kNumHottest, all.size());
  std::partial_sort(all.begin(),
                    all.begin() + static_cast<std::ptrdiff_t>(count), all.end(),
                    [](const auto& a, const auto& b) {
                      if (std::get<0>(a) != std::get<0>(b)) {
                        return std::get<0>(a) > std::get<0>(b);
                      }
                      return a < b;
                    });
  std::string text;
  for (size_t i = 0; i < count; ++i) {
    const auto& [rows, layer, expert] = all[i];
    absl::StrAppend(&text, i == 0 ? "" : ", ", layer, ":", expert, " ", rows);
  }
  return text;
}

}  // namespace

absl::string_view HealthText(NodeHealth health) {
  switch (health) {
    case NodeHealth::kLoading:
      return "loading";
    case NodeHealth::kReady:
      return "ready";
    case NodeHealth::kDraining:
      return "draining";
    case NodeHealth::kGone:
      return "gone";
    case NodeHealth::kUnknown:
      break;
  }
  return "unknown";
}

std::string StatusText(const MeshState& state, const MeshState* before) {
  const double seconds =
      before == nullptr
          ? 0
          : absl::ToDoubleSeconds(state.taken_at - before->taken_at);
  std::vector<std::vector<std::string>> rows = {
      {"NODE", "ROLE", "HEALTH", "PLACED/HELD/ROOM", "EPOCH", "LANE", "MEMORY",
       "KV BLOCKS", "RUN/WAIT", "TOKENS", "ROWS", "ROWS/S", "BEAT", ""}};
  for (const NodeView& node : state.nodes) {
    rows.push_back(NodeRow(node, FindNode(before, node.name), seconds));
  }
  std::string text = HeadLine(state);
  if (state.nodes.empty()) return absl::StrCat(text, "no node has joined\n");
  return absl::StrCat(text, TextTable(rows, {3, 4, 6, 7, 8, 9, 10, 11, 12}));
}

std::string LoadText(const MeshState& state) {
  std::string text;
  std::vector<std::vector<std::string>> hottest = {
      {"WINDOW", "COVERS", "HOTTEST (LAYER:EXPERT ROWS)"}};
  for (const LoadView& load : state.load) {
    hottest.push_back({load.window,
                       absl::StrFormat("%.1f s", load.covered_seconds),
                       HottestText(load)});
  }
  std::vector<std::vector<std::string>> layers = {{"LAYER"}};
  for (const LoadView& load : state.load) {
    layers[0].push_back(absl::StrCat("IMBALANCE ", load.window));
    for (size_t i = 0; i < load.layers.size(); ++i) {
      if (layers.size() <= i + 1) {
        layers.push_back({absl::StrCat(load.layers[i].layer)});
      }
      layers[i + 1].push_back(
          load.layers[i].imbalance == 0
              ? "-"
              : absl::StrFormat("%.2f", load.layers[i].imbalance));
    }
  }
  return absl::StrCat(TextTable(hottest, {1}), "\n",
                      TextTable(layers, {0, 1, 2, 3, 4}));
}

}  // namespace mesh::cli
