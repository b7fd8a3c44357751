// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>

#include "core/ids.h"

namespace mesh::attention {

// What a measurement of one link to an expert node found.
struct LinkProbe {
  NodeId node;
  double round_trip_us_median = 0;  // of a small message
  double round_trip_us_p99 = 0;
  double bytes_per_second = 0;  // of large messages, there and back
  std::string error = {};       // empty if it went well
};

}  // namespace mesh::attention
