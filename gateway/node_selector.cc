// SPDX-License-Identifier: Apache-2.0
#include "gateway/node_selector.h"

#include <tuple>

namespace mesh::gateway {
namespace {

constexpr int kStreamsForAPrefix = 8;

}  // namespace

std::optional<size_t> SelectNode(std::span<const Candidate> candidates) {
  const auto rank = [&](size_t i) {
    const Candidate& candidate = candidates[i];
    const int num_streams = candidate.num_streams -
                            (candidate.knows_prefix ? kStreamsForAPrefix : 0);
    return std::make_tuple(candidate.avoid, num_streams, candidate.name);
  };
  std::optional<size_t> best;
  for (size_t i = 0; i < candidates.size(); ++i) {
    if (candidates[i].draining) continue;
    if (!best || rank(i) < rank(*best)) best = i;
  }
  return best;
}

}  // namespace mesh::gateway
