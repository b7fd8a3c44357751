// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <prometheus/counter.h>

namespace mesh::service {

// Brings a counter up to a total that is kept elsewhere and only grows. One
// thread for each counter.
template <typename Count>
void Follow(Count total, prometheus::Counter& counter) {
  counter.Increment(static_cast<double>(total) - counter.Value());
}

}  // namespace mesh::service
