// SPDX-License-Identifier: Apache-2.0
#include "router/control/bias_balancer.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace mesh::router {

void StepBias(std::span<const uint64_t> tokens, const BiasOptions& options,
              std::span<float> bias) {
  if (tokens.empty()) return;
  const double mean = static_cast<double>(std::accumulate(
                          tokens.begin(), tokens.end(), uint64_t{0})) /
                      static_cast<double>(tokens.size());
  if (mean < static_cast<double>(options.least_mean)) return;
  for (size_t e = 0; e < tokens.size(); ++e) {
    const double behind = mean - static_cast<double>(tokens[e]);
    if (std::abs(behind) <= options.dead_band * mean) continue;
    const float step = behind > 0 ? options.gamma : -options.gamma;
    bias[e] = std::clamp(bias[e] + step, -options.bound, options.bound);
  }
}

}  // namespace mesh::router
