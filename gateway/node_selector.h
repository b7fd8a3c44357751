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
  // Has computed the beginning of the stream's prompt already, it seems.
  bool knows_prefix = false;
};

// The index of the node for the next stream: the least loaded one that is not
// draining; among equals the first by name. One that knows the prefix counts as
// if it had 8 streams fewer, so a common beginning does not draw all streams to
// one node. Pure.
std::optional<size_t> SelectNode(std::span<const Candidate> candidates);

}  // namespace mesh::gateway
