// SPDX-License-Identifier: Apache-2.0
#include "attention-node/prefix_cache.h"

#include <algorithm>

#include "absl/hash/hash.h"
#include "absl/types/span.h"
#include "core/check.h"

namespace mesh::attention {

size_t BlockPlaceHash::operator()(const BlockPlace& place) const {
  const int parent = place.parent.has_value() ? place.parent->value : -1;
  return absl::HashOf(
      parent, place.scope,
      absl::MakeConstSpan(place.tokens.data(), place.tokens.size()));
}

bool BlockPlaceEqual::operator()(const BlockPlace& a,
                                 const BlockPlace& b) const {
  return a.parent == b.parent && a.scope == b.scope &&
         std::ranges::equal(a.tokens, b.tokens);
}

PrefixCache::PrefixCache(int num_blocks)
    : entries_(static_cast<size_t>(num_blocks), nullptr) {}

std::optional<BlockId> PrefixCache::Find(const BlockPlace& place) const {
  const auto found = map_.find(place);
  if (found == map_.end()) return std::nullopt;
  return found->second.block;
}

PrefixCache::Node& PrefixCache::NodeOf(BlockId block) const {
  Entry* const entry = EntryOf(block);
  MESH_CHECK(entry != nullptr);
  return entry->second;
}

void PrefixCache::Insert(const BlockPlace& place, BlockId block) {
  MESH_CHECK(!Contains(block));
  if (place.parent.has_value()) {
    Node& parent = NodeOf(*place.parent);
    MESH_CHECK(parent.idle_since == 0);
    ++parent.num_children;
  }
  const auto [entry, inserted] =
      map_.emplace(Key{.parent = place.parent,
                       .scope = std::string(place.scope),
                       .tokens = {place.tokens.begin(), place.tokens.end()}},
                   Node{.block = block});
  MESH_CHECK(inserted);
  entries_[static_cast<size_t>(block.value)] = &*entry;
}

void PrefixCache::SetIdle(BlockId block) {
  Node& node = NodeOf(block);
  MESH_CHECK(node.idle_since == 0);
  node.idle_since = ++time_;
  ++num_idle_;
  if (node.num_children == 0) leaves_.insert(Age(node));
}

void PrefixCache::SetInUse(BlockId block) {
  Node& node = NodeOf(block);
  MESH_CHECK(node.idle_since != 0);
  if (node.num_children == 0) leaves_.erase(Age(node));
  node.idle_since = 0;
  --num_idle_;
}

BlockId PrefixCache::Evict() {
  MESH_CHECK(!leaves_.empty());
  const BlockId block = leaves_.begin()->second;
  Erase(block);
  return block;
}

bool PrefixCache::EvictIfLeaf(BlockId block) {
  const Node& node = NodeOf(block);
  if (node.idle_since == 0 || node.num_children > 0) return false;
  Erase(block);
  return true;
}

void PrefixCache::Erase(BlockId block) {
  Entry* const entry = EntryOf(block);
  leaves_.erase(Age(entry->second));
  --num_idle_;
  if (entry->first.parent.has_value()) {
    Node& parent = NodeOf(*entry->first.parent);
    if (--parent.num_children == 0 && parent.idle_since != 0) {
      leaves_.insert(Age(parent));
    }
  }
  entries_[static_cast<size_t>(block.value)] = nullptr;
  map_.erase(map_.find(BlockPlace(entry->first)));
}

}  // namespace mesh::attention
