// SPDX-License-Identifier: Apache-2.0
#include "attention-node/kv_blocks.h"

#include <cstddef>
#include <optional>

#include "core/check.h"

namespace mesh::attention {

KvBlocks::KvBlocks(int num_blocks, int block_size, bool keep_prefixes)
    : block_size_(block_size),
      keep_prefixes_(keep_prefixes),
      holders_(static_cast<size_t>(num_blocks), 0),
      prefixes_(num_blocks) {
  free_.reserve(holders_.size());
  for (int block = num_blocks - 1; block >= 0; --block) {
    free_.push_back(BlockId{block});
  }
}

bool KvBlocks::Take(int count, std::vector<BlockId>* blocks) {
  MESH_DCHECK(count >= 0);
  if (count > NumAvailable()) return false;
  for (int i = 0; i < count; ++i) blocks->push_back(TakeOne());
  return true;
}

BlockId KvBlocks::TakeOne() {
  BlockId block;
  if (free_.empty()) {
    block = prefixes_.Evict();
    ++num_evictions_;
  } else {
    block = free_.back();
    free_.pop_back();
  }
  HoldersOf(block) = 1;
  ++num_held_;
  return block;
}

void KvBlocks::Share(std::span<const BlockId> blocks) {
  for (const BlockId block : blocks) ShareOne(block);
}

void KvBlocks::ShareOne(BlockId block) {
  int& holders = HoldersOf(block);
  if (holders == 0) {
    prefixes_.SetInUse(block);
    ++num_held_;
  }
  ++holders;
}

// From the end, so that what follows an idle block is idle.
void KvBlocks::Release(std::span<const BlockId> blocks) {
  for (auto block = blocks.rbegin(); block != blocks.rend(); ++block) {
    ReleaseOne(*block);
  }
}

void KvBlocks::ReleaseOne(BlockId block) {
  int& holders = HoldersOf(block);
  MESH_CHECK(holders > 0);
  if (--holders > 0) return;
  --num_held_;
  if (prefixes_.Contains(block)) {
    prefixes_.SetIdle(block);
  } else {
    free_.push_back(block);
  }
}

void KvBlocks::Forget(std::span<const BlockId> blocks) {
  for (auto block = blocks.rbegin(); block != blocks.rend(); ++block) {
    if (!prefixes_.Contains(*block)) continue;
    if (!prefixes_.EvictIfLeaf(*block)) return;
    ++num_evictions_;
    free_.push_back(*block);
  }
}

BlockPlace KvBlocks::PlaceOf(std::string_view scope,
                             std::span<const TokenId> tokens, int index,
                             std::span<const BlockId> blocks) const {
  const auto i = static_cast<size_t>(index);
  const auto size = static_cast<size_t>(block_size_);
  BlockPlace place{.tokens = tokens.subspan(i * size, size)};
  if (index == 0) {
    place.scope = scope;
  } else {
    place.parent = blocks[i - 1];
  }
  return place;
}

void KvBlocks::FindPrefix(std::string_view scope,
                          std::span<const TokenId> tokens, int num_tokens,
                          std::vector<BlockId>* chain) const {
  if (!keep_prefixes_) return;
  const int num_full = num_tokens / block_size_;
  for (int i = static_cast<int>(chain->size()); i < num_full; ++i) {
    const auto block = prefixes_.Find(PlaceOf(scope, tokens, i, *chain));
    if (!block.has_value()) return;
    chain->push_back(*block);
  }
}

int KvBlocks::NumKeptOf(std::span<const BlockId> chain) const {
  int count = 0;
  for (auto block = chain.rbegin(); block != chain.rend(); ++block) {
    if (holders_[static_cast<size_t>(block->value)] > 0) break;
    ++count;
  }
  return count;
}

void KvBlocks::Keep(std::string_view scope, std::span<const TokenId> tokens,
                    int num_kept, int num_full, std::vector<BlockId>* blocks) {
  if (!keep_prefixes_) return;
  for (int i = num_kept; i < num_full; ++i) {
    BlockId& own = (*blocks)[static_cast<size_t>(i)];
    const BlockPlace place = PlaceOf(scope, tokens, i, *blocks);
    const std::optional<BlockId> known = prefixes_.Find(place);
    if (!known.has_value()) {
      prefixes_.Insert(place, own);
      continue;
    }
    ShareOne(*known);
    ReleaseOne(own);
    own = *known;
  }
}

}  // namespace mesh::attention
