// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "core/ids.h"

namespace mesh::gateway {

// Remembers which attention node was given which beginnings of prompts, so
// that a stream can go where they are in the prefix cache. A guess: the node
// may have forgotten them, and then computes them again. Owned by its user's
// lock.
class PrefixAffinity {
 public:
  // Keeps the latest: `max_chunks` at least, and at most twice as many.
  explicit PrefixAffinity(size_t max_chunks) : max_chunks_(max_chunks) {}

  // The beginnings of a prompt: one key for each whole chunk of tokens, which
  // stands for all up to its end. Prompts under different salts have nothing
  // in common.
  using Keys = std::vector<uint64_t>;
  static Keys KeysOf(absl::string_view salt, std::span<const TokenId> tokens);

  // The name of the node that has the longest of them; empty if none has any.
  std::string Find(const Keys& keys) const;
  void Remember(const Keys& keys, const std::string& node);

 private:
  using Nodes = absl::flat_hash_map<uint64_t, std::string>;

  const size_t max_chunks_;
  Nodes recent_;
  Nodes old_;  // forgotten when `recent_` is full
};

}  // namespace mesh::gateway
