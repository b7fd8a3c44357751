// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <thread>

namespace mesh {

// `wanted`, or one per core if it is 0.
inline int NumThreads(int wanted) {
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  return wanted > 0 ? wanted : cores > 0 ? cores : 1;
}

}  // namespace mesh
