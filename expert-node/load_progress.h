// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "absl/time/time.h"

namespace mesh::expert {

// How far a load has come. Plain data.
struct LoadProgress {
  int done = 0;  // experts
  int total = 0;
  absl::Time started = absl::InfinitePast();
};

// For people: "loading experts 120/512, 4 s left"; without the rest until there
// is something to judge by.
std::string Describe(const LoadProgress& progress, absl::Time now);

}  // namespace mesh::expert
