// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

namespace mesh::gateway {

// Bounds of histograms: those of vLLM and SGLang, so that dashboards can be
// compared. Seconds, but the last one.
std::vector<double> FirstTokenBuckets();
std::vector<double> TokenGapBuckets();
std::vector<double> RequestBuckets();
std::vector<double> TokenizingBuckets();
std::vector<double> TokenCountBuckets();

}  // namespace mesh::gateway
