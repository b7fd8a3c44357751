// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

namespace mesh::router {

struct BiasOptions {
  float gamma = 0.001F;      // one step
  float bound = 0.05F;       // of a bias, either way
  double dead_band = 0.1;    // share of the mean that is balance enough
  uint64_t least_mean = 16;  // tokens; fewer say nothing
};

// One step of the balancing rule without an auxiliary loss, for one layer: each
// expert's bias goes up by gamma if it has less load than the mean, down if it
// has more (DeepSeek-V3, arXiv:2412.19437, section 2.1.2). `tokens` and `bias`
// are [num_experts]. A pure function.
void StepBias(std::span<const uint64_t> tokens, const BiasOptions& options,
              std::span<float> bias);

}  // namespace mesh::router
