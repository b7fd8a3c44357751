// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "attention-node/prefix_cache.h"
#include "core/ids.h"

namespace mesh::attention {

// The blocks of the latent KV cache: free ones, those that sequences hold, one
// or several together, and those that nobody holds but whose prefix may come
// again. The latter two are found by their tokens (docs/prefix_cache.md).
// Owned by the engine thread.
class KvBlocks {
 public:
  // `keep_prefixes`: false makes every block without a holder free at once.
  KvBlocks(int num_blocks, int block_size, bool keep_prefixes);

  int NumBlocks() const { return static_cast<int>(holders_.size()); }
  // Without a holder: what Take can give. The first includes the second.
  int NumAvailable() const { return NumFree() + NumKept(); }
  int NumKept() const { return prefixes_.NumIdle(); }
  int NumHeld() const { return num_held_; }
  // Sequences that hold a block, by block.
  std::span<const int> Holders() const { return holders_; }

  // Appends `count` blocks, each with one holder, to `blocks`; forgets
  // prefixes if it must. All or nothing: false, and no change, if fewer are
  // available.
  bool Take(int count, std::vector<BlockId>* blocks);

  // One more holder each. REQUIRES: they are held or kept.
  void Share(std::span<const BlockId> blocks);
  // One holder fewer each. REQUIRES: they are held; if a block is among them,
  // so is what its holder holds behind it.
  void Release(std::span<const BlockId> blocks);
  // Forgets the prefixes of a sequence that has released them, as far as
  // nobody else has a use for them.
  void Forget(std::span<const BlockId> blocks);

  // Appends to `chain`, which may be empty, the known blocks that follow it,
  // until it holds the first `num_tokens` or fewer tokens of `tokens`.
  void FindPrefix(std::string_view scope, std::span<const TokenId> tokens,
                  int num_tokens, std::vector<BlockId>* chain) const;
  // How many blocks of a chain nobody holds: all from one on.
  int NumKeptOf(std::span<const BlockId> chain) const;
  // A chain once found can be shared until this changes.
  int64_t NumEvictions() const { return num_evictions_; }

  // The place of the sequence's block `index`, whose tokens are all known and
  // which follows those in `blocks`. A view of the arguments.
  BlockPlace PlaceOf(std::string_view scope, std::span<const TokenId> tokens,
                     int index, std::span<const BlockId> blocks) const;

  // Makes full, computed blocks findable: those of `blocks` from index
  // `num_kept` up to `num_full`; the ones before are. Where the prefix is known
  // already, the known block takes the place of the sequence's own.
  void Keep(std::string_view scope, std::span<const TokenId> tokens,
            int num_kept, int num_full, std::vector<BlockId>* blocks);

 private:
  int NumFree() const { return static_cast<int>(free_.size()); }
  int& HoldersOf(BlockId block) {
    return holders_[static_cast<size_t>(block.value)];
  }
  BlockId TakeOne();
  void ShareOne(BlockId block);
  void ReleaseOne(BlockId block);

  const int block_size_;
  const bool keep_prefixes_;
  std::vector<BlockId> free_;  // taken from the end
  std::vector<int> holders_;   // by block
  int num_held_ = 0;           // blocks with a holder
  PrefixCache prefixes_;
  int64_t num_evictions_ = 0;
};

}  // namespace mesh::attention
