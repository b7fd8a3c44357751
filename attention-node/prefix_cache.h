// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/container/node_hash_map.h"
#include "core/ids.h"

namespace mesh::attention {

// Where a full block of KV rows stands: after which block, and for which
// tokens. What its rows hold follows from that.
struct BlockPlace {
  // The block before; none for the first of a sequence.
  std::optional<BlockId> parent = std::nullopt;
  // What else the rows depend on, and who may share them. Counts in the first
  // block; the others have it from their parents.
  std::string_view scope = {};
  std::span<const TokenId> tokens = {};  // [block_size]
};

struct BlockPlaceHash {
  using is_transparent = void;
  size_t operator()(const BlockPlace& place) const;
};
struct BlockPlaceEqual {
  using is_transparent = void;
  bool operator()(const BlockPlace& a, const BlockPlace& b) const;
};

// Which full block has been computed for which tokens: a tree of blocks, in
// which a sequence finds its longest known prefix. Places are compared whole,
// token by token, so no collision of hashes can mix up two prompts.
//
// A block is in use or idle; only idle ones are evicted, the one that has been
// idle for longest first, and never before those that follow it.
// Invariant: what follows an idle block is idle. Owned by the engine thread.
class PrefixCache {
 public:
  explicit PrefixCache(int num_blocks);

  std::optional<BlockId> Find(const BlockPlace& place) const;

  // `block` is in use. REQUIRES: neither it nor the place is here; the parent
  // is, and in use.
  void Insert(const BlockPlace& place, BlockId block);

  bool Contains(BlockId block) const { return EntryOf(block) != nullptr; }

  // REQUIRES: the block is here, in use and idle respectively.
  void SetIdle(BlockId block);
  void SetInUse(BlockId block);
  int NumIdle() const { return num_idle_; }

  // Forgets the next block to go. REQUIRES: NumIdle() > 0.
  BlockId Evict();
  // Forgets this one, if it is idle and nothing follows it; false otherwise.
  bool EvictIfLeaf(BlockId block);

 private:
  struct Key {
    std::optional<BlockId> parent;
    std::string scope;
    std::vector<TokenId> tokens;

    // As the map's hash and equality want it.
    // NOLINTNEXTLINE(google-explicit-constructor)
    operator BlockPlace() const { return {parent, scope, tokens}; }
  };
  struct Node {
    BlockId block;
    int num_children = 0;
    int64_t idle_since = 0;  // 0: in use; otherwise counts up, never twice
  };
  using Map = absl::node_hash_map<Key, Node, BlockPlaceHash, BlockPlaceEqual>;
  using Entry = Map::value_type;  // stays where it is in memory

  Entry* EntryOf(BlockId block) const {
    return entries_[static_cast<size_t>(block.value)];
  }
  Node& NodeOf(BlockId block) const;
  static std::pair<int64_t, BlockId> Age(const Node& node) {
    return {node.idle_since, node.block};
  }
  void Erase(BlockId block);

  Map map_;
  std::vector<Entry*> entries_;  // by block; null: not here
  // Idle blocks that nothing follows: (idle since, block).
  absl::btree_set<std::pair<int64_t, BlockId>> leaves_;
  int num_idle_ = 0;
  int64_t time_ = 0;
};

}  // namespace mesh::attention
