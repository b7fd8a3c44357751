// SPDX-License-Identifier: Apache-2.0
#include "router/placement/node_quotas.h"

#include <algorithm>
#include <numeric>
#include <tuple>
#include <utility>

namespace mesh::router {
namespace {

// Shares `wanted` units out to nodes, as evenly as their room allows; nodes
// that have more now get the units that are left over.
std::vector<size_t> NodeTotals(size_t wanted, const std::vector<size_t>& room,
                               const std::vector<size_t>& now) {
  std::vector<size_t> order(room.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return std::pair(room[a], a) < std::pair(room[b], b);
  });
  // Step 1: the level up to which every node is filled.
  std::vector<size_t> totals(room.size(), 0);
  size_t level = 0;
  size_t left = wanted;
  for (size_t i = 0; i < order.size() && left > 0; ++i) {
    const size_t open = order.size() - i;
    const size_t rise = std::min(room[order[i]] - level, left / open);
    level += rise;
    left -= rise * open;
    if (level < room[order[i]]) break;
  }
  for (size_t n = 0; n < room.size(); ++n) {
    totals[n] = std::min(room[n], level);
  }
  // Step 2: the rest, one each.
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return std::pair(now[b], a) < std::pair(now[a], b);
  });
  for (const size_t n : order) {
    if (left > 0 && totals[n] < room[n]) {
      ++totals[n];
      --left;
    }
  }
  return totals;
}

// Rounds one layer's even shares of what each node still has to take.
std::vector<size_t> LayerQuotas(size_t wanted, size_t layers_left, size_t most,
                                const std::vector<size_t>& still,
                                const std::vector<size_t>& now) {
  std::vector<size_t> quotas(still.size());
  size_t given = 0;
  for (size_t n = 0; n < still.size(); ++n) {
    quotas[n] = std::min(still[n] / layers_left, most);
    given += quotas[n];
  }
  std::vector<size_t> order(still.size());
  std::iota(order.begin(), order.end(), size_t{0});
  const auto rank = [&](size_t n) {
    const size_t rest = still[n] % layers_left;
    // Who must round up, then who has more now, then who is furthest behind.
    return std::tuple(rest == 0, now[n] <= quotas[n], layers_left - rest, n);
  };
  std::sort(order.begin(), order.end(),
            [&](size_t a, size_t b) { return rank(a) < rank(b); });
  // One each; again only if the shares were cut at `most`.
  for (bool changed = true; changed && given < wanted;) {
    changed = false;
    for (const size_t n : order) {
      if (given == wanted) break;
      if (quotas[n] == most || quotas[n] == still[n]) continue;
      ++quotas[n];
      ++given;
      changed = true;
    }
  }
  return quotas;
}

}  // namespace

std::vector<std::vector<size_t>> NodeQuotas(const QuotaRequest& request) {
  const size_t num_nodes = request.capacity.size();
  const size_t layers = request.num_layers;
  std::vector<size_t> still(num_nodes);
  std::vector<size_t> now(num_nodes, 0);
  size_t room = 0;
  for (size_t n = 0; n < num_nodes; ++n) {
    still[n] = std::min(request.capacity[n], layers * request.units_per_layer);
    room += still[n];
    for (const auto& layer : request.current) now[n] += layer[n];
  }
  if (room < layers * request.units_per_layer) return {};

  const size_t replicas = std::min(request.num_replicas, num_nodes);
  size_t left = std::min(room, layers * request.units_per_layer * replicas);
  still = NodeTotals(left, still, now);

  std::vector<std::vector<size_t>> quotas;
  for (size_t l = 0; l < layers; ++l) {
    const size_t layers_left = layers - l;
    const size_t wanted = (left + layers_left - 1) / layers_left;
    quotas.push_back(LayerQuotas(wanted, layers_left, request.units_per_layer,
                                 still, request.current[l]));
    for (size_t n = 0; n < num_nodes; ++n) {
      still[n] -= quotas[l][n];
      left -= quotas[l][n];
    }
  }
  return quotas;
}

}  // namespace mesh::router
