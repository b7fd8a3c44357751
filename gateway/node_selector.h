// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>

#include "absl/strings/string_view.h"

namespace mesh::gateway {

// An attention node that could take a stream.
struct Candidate {
  absl::string_view name;
  int num_streams = 0;  // running and waiting there
  bool draining = false;
  // Has just failed or refused this very stream: only if there is no other.
  bool avoid = false;
};

// The index of the node for the next stream: the least loaded one that is not
// draining; among equals the first by name. Pure.
std::optional<size_t> SelectNode(std::span<const Candidate> candidates);

}  // namespace mesh::gateway
