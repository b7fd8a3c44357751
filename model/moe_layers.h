// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "core/ids.h"
#include "model/deepseek_config.h"

namespace mesh::model {

// The layers with routed experts, ascending; MTP layers not counted.
inline std::vector<LayerId> MoeLayers(const DeepseekConfig& config) {
  std::vector<LayerId> layers;
  for (int layer = 0; layer < config.num_hidden_layers; ++layer) {
    if (config.IsMoeLayer(layer)) {
      layers.push_back(LayerId{static_cast<uint16_t>(layer)});
    }
  }
  return layers;
}

}  // namespace mesh::model
