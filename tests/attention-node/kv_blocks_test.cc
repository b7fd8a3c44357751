// SPDX-License-Identifier: Apache-2.0
#include "attention-node/kv_blocks.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

namespace mesh::attention {
namespace {

constexpr int kBlockSize = 2;

TEST(KvBlocks, TakesAllOrNothing) {
  KvBlocks blocks(3, kBlockSize, true);
  std::vector<BlockId> taken;
  EXPECT_FALSE(blocks.Take(4, &taken));
  EXPECT_TRUE(taken.empty());
  EXPECT_EQ(blocks.NumAvailable(), 3);
  EXPECT_TRUE(blocks.Take(3, &taken));
  EXPECT_EQ(blocks.NumAvailable(), 0);
  EXPECT_TRUE(blocks.Take(0, &taken));
  EXPECT_EQ(taken.size(), 3U);
}

TEST(KvBlocks, SharedBlockIsAvailableAfterItsLastHolder) {
  KvBlocks blocks(1, kBlockSize, true);
  std::vector<BlockId> taken;
  ASSERT_TRUE(blocks.Take(1, &taken));
  blocks.Share(taken);
  blocks.Release(taken);
  EXPECT_EQ(blocks.NumAvailable(), 0);
  blocks.Release(taken);
  EXPECT_EQ(blocks.NumAvailable(), 1);
  EXPECT_EQ(blocks.NumKept(), 0);
}

TEST(KvBlocksDeathTest, ReleasingAFreeBlockIsOurMistake) {
  KvBlocks blocks(1, kBlockSize, true);
  const std::vector<BlockId> block = {BlockId{0}};
  EXPECT_DEATH(blocks.Release(block), "check failed");
  EXPECT_DEATH(blocks.Share(block), "check failed");
}

TEST(KvBlocks, ReleasedPrefixIsFoundAndSharedUntilItsBlocksAreTaken) {
  KvBlocks blocks(3, kBlockSize, true);
  const std::vector<TokenId> tokens = {1, 2, 3, 4, 5};
  std::vector<BlockId> own;
  ASSERT_TRUE(blocks.Take(3, &own));
  blocks.Keep("s", tokens, 0, 2, &own);
  blocks.Release(own);
  EXPECT_EQ(blocks.NumAvailable(), 3);
  EXPECT_EQ(blocks.NumKept(), 2);

  std::vector<BlockId> found;
  blocks.FindPrefix("s", tokens, 4, &found);
  EXPECT_EQ(found, (std::vector<BlockId>{own[0], own[1]}));
  EXPECT_EQ(blocks.NumKeptOf(found), 2);
  blocks.Share(found);
  EXPECT_EQ(blocks.NumKeptOf(found), 0);
  EXPECT_EQ(blocks.NumHeld(), 2);
  blocks.Release(found);

  // The free block goes first, then the end of the prefix.
  std::vector<BlockId> taken;
  ASSERT_TRUE(blocks.Take(2, &taken));
  EXPECT_EQ(taken, (std::vector<BlockId>{own[2], own[1]}));
  EXPECT_EQ(blocks.NumEvictions(), 1);
  found.clear();
  blocks.FindPrefix("s", tokens, 4, &found);
  EXPECT_EQ(found, (std::vector<BlockId>{own[0]}));
}

TEST(KvBlocks, FindsNoMoreTokensThanWanted) {
  KvBlocks blocks(3, kBlockSize, true);
  const std::vector<TokenId> tokens = {1, 2, 3, 4};
  std::vector<BlockId> own;
  ASSERT_TRUE(blocks.Take(2, &own));
  blocks.Keep("s", tokens, 0, 2, &own);
  for (const auto& [num_tokens, expected] :
       {std::pair(0, 0U), {1, 0U}, {3, 1U}, {4, 2U}}) {
    std::vector<BlockId> found;
    blocks.FindPrefix("s", tokens, num_tokens, &found);
    EXPECT_EQ(found.size(), expected) << num_tokens;
  }
}

// Two that computed the same side by side hold one block afterwards.
TEST(KvBlocks, SecondOfTwoEqualBlocksIsGivenBack) {
  KvBlocks blocks(4, kBlockSize, true);
  const std::vector<TokenId> tokens = {1, 2, 3};
  std::vector<BlockId> first;
  std::vector<BlockId> second;
  ASSERT_TRUE(blocks.Take(2, &first));
  ASSERT_TRUE(blocks.Take(2, &second));
  blocks.Keep("s", tokens, 0, 1, &first);
  blocks.Keep("s", tokens, 0, 1, &second);
  EXPECT_EQ(second[0], first[0]);
  EXPECT_NE(second[1], first[1]);
  EXPECT_EQ(blocks.NumAvailable(), 1);
}

TEST(KvBlocks, ForgottenPrefixIsNotFoundUnlessOthersUseIt) {
  KvBlocks blocks(4, kBlockSize, true);
  const std::vector<TokenId> tokens = {1, 2, 3, 4};
  std::vector<BlockId> own;
  ASSERT_TRUE(blocks.Take(2, &own));
  blocks.Keep("s", tokens, 0, 2, &own);
  const std::vector<BlockId> shared = {own[0]};
  blocks.Share(shared);
  blocks.Release(own);
  blocks.Forget(own);
  std::vector<BlockId> found;
  blocks.FindPrefix("s", tokens, 4, &found);
  EXPECT_EQ(found, shared);
  blocks.Release(shared);
  blocks.Forget(shared);
  EXPECT_EQ(blocks.NumKept(), 0);
  EXPECT_EQ(blocks.NumAvailable(), 4);
}

TEST(KvBlocks, WithoutAPrefixCacheNothingIsKept) {
  KvBlocks blocks(2, kBlockSize, false);
  const std::vector<TokenId> tokens = {1, 2};
  std::vector<BlockId> own;
  ASSERT_TRUE(blocks.Take(1, &own));
  blocks.Keep("s", tokens, 0, 1, &own);
  std::vector<BlockId> found;
  blocks.FindPrefix("s", tokens, 2, &found);
  EXPECT_TRUE(found.empty());
  blocks.Release(own);
  EXPECT_EQ(blocks.NumKept(), 0);
}

// The slow twin: every block with all the tokens up to its end, and a list of
// what each sequence holds.
class Twin {
 public:
  using Prefix = std::pair<std::string, std::vector<TokenId>>;

  void Check(const KvBlocks& blocks,
             const std::vector<std::vector<BlockId>>& held) {
    std::map<BlockId, int> holders;
    for (const auto& all : held) {
      for (const BlockId block : all) ++holders[block];
    }
    for (int i = 0; i < blocks.NumBlocks(); ++i) {
      const auto found = holders.find(BlockId{i});
      ASSERT_EQ(blocks.Holders()[static_cast<size_t>(i)],
                found == holders.end() ? 0 : found->second);
    }
    ASSERT_EQ(blocks.NumHeld(), static_cast<int>(holders.size()));
    ASSERT_EQ(blocks.NumAvailable() + blocks.NumHeld(), blocks.NumBlocks());
    ASSERT_LE(blocks.NumKept(), blocks.NumAvailable());
  }

  // What is found was computed for just these tokens, and not taken since.
  void CheckFound(const Prefix& whole, const std::vector<BlockId>& found) {
    for (size_t i = 0; i < found.size(); ++i) {
      Prefix prefix = whole;
      prefix.second.resize((i + 1) * kBlockSize);
      ASSERT_EQ(written_.at(found[i]), prefix);
    }
  }
  void Write(BlockId block, Prefix prefix) {
    written_[block] = std::move(prefix);
  }
  void Overwrite(BlockId block) { written_.erase(block); }

 private:
  std::map<BlockId, Prefix> written_;
};

struct Holder {
  Twin::Prefix prefix;
  std::vector<BlockId> blocks;
};

// Few different tokens, so that prefixes meet.
Twin::Prefix RandomPrefix(std::mt19937* random) {
  Twin::Prefix prefix;
  prefix.first.assign(1, (*random)() % 4 == 0 ? 't' : 's');
  const auto num_blocks = 1 + (*random)() % 6;
  for (size_t i = 0; i < num_blocks * kBlockSize; ++i) {
    prefix.second.push_back(i % 2 == 0 ? 0
                                       : static_cast<TokenId>((*random)() % 2));
  }
  return prefix;
}

TEST(KvBlocks, AgreesWithAListOfPrefixesOver100000Operations) {
  KvBlocks blocks(23, kBlockSize, true);
  Twin twin;
  std::vector<Holder> holders;
  std::mt19937 random(1);
  int64_t num_found = 0;
  for (int i = 0; i < 100'000; ++i) {
    if (random() % 2 == 0 && !holders.empty()) {
      const size_t any = random() % holders.size();
      blocks.Release(holders[any].blocks);
      if (random() % 8 == 0) blocks.Forget(holders[any].blocks);
      holders.erase(holders.begin() + static_cast<ptrdiff_t>(any));
    } else {
      Holder holder{.prefix = RandomPrefix(&random), .blocks = {}};
      const auto& [scope, tokens] = holder.prefix;
      const int num_tokens = static_cast<int>(tokens.size());
      blocks.FindPrefix(scope, tokens, num_tokens, &holder.blocks);
      ASSERT_NO_FATAL_FAILURE(twin.CheckFound(holder.prefix, holder.blocks));
      const int known = static_cast<int>(holder.blocks.size());
      const int missing = num_tokens / kBlockSize - known;
      const bool fits =
          missing + blocks.NumKeptOf(holder.blocks) <= blocks.NumAvailable();
      if (!fits) continue;
      num_found += known;
      blocks.Share(holder.blocks);
      ASSERT_TRUE(blocks.Take(missing, &holder.blocks));
      for (int j = known; j < known + missing; ++j) {
        const BlockId block = holder.blocks[static_cast<size_t>(j)];
        twin.Overwrite(block);
        const auto num_upto = static_cast<ptrdiff_t>(j + 1) * kBlockSize;
        twin.Write(block, {scope, {tokens.begin(), tokens.begin() + num_upto}});
      }
      blocks.Keep(scope, tokens, known, known + missing, &holder.blocks);
      ASSERT_NO_FATAL_FAILURE(twin.CheckFound(holder.prefix, holder.blocks));
      holders.push_back(std::move(holder));
    }
    std::vector<std::vector<BlockId>> held;
    held.reserve(holders.size());
    for (const Holder& holder : holders) held.push_back(holder.blocks);
    ASSERT_NO_FATAL_FAILURE(twin.Check(blocks, held));
  }
  EXPECT_GT(num_found, 10'000);
  EXPECT_GT(blocks.NumEvictions(), 10'000);
  for (const Holder& holder : holders) blocks.Release(holder.blocks);
  EXPECT_EQ(blocks.NumAvailable(), blocks.NumBlocks());
}

}  // namespace
}  // namespace mesh::attention
