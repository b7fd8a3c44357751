// SPDX-License-Identifier: Apache-2.0
#include "attention-node/prefix_cache.h"

#include <gtest/gtest.h>

namespace mesh::attention {
namespace {

const std::vector<TokenId> kA = {1, 2};
const std::vector<TokenId> kB = {3, 4};

BlockPlace First(const std::vector<TokenId>& tokens,
                 std::string_view scope = "s") {
  return {.scope = scope, .tokens = tokens};
}
BlockPlace After(int parent, const std::vector<TokenId>& tokens) {
  return {.parent = BlockId{parent}, .tokens = tokens};
}

TEST(PrefixCache, BlockIsFoundByItsTokensItsParentAndItsScope) {
  PrefixCache cache(9);
  cache.Insert(First(kA), BlockId{4});
  cache.Insert(After(4, kA), BlockId{7});
  EXPECT_EQ(cache.Find(First(kA)), BlockId{4});
  EXPECT_EQ(cache.Find(After(4, kA)), BlockId{7});
  EXPECT_EQ(cache.Find(First(kB)), std::nullopt);
  EXPECT_EQ(cache.Find(First(kA, "t")), std::nullopt);
  EXPECT_EQ(cache.Find(After(7, kA)), std::nullopt);
  EXPECT_TRUE(cache.Contains(BlockId{7}));
  EXPECT_FALSE(cache.Contains(BlockId{0}));
}

// The keys are the caller's, who may free them.
TEST(PrefixCache, KeepsItsOwnCopies) {
  PrefixCache cache(1);
  {
    const std::string scope(100, 's');
    const std::vector<TokenId> tokens(100, 5);
    cache.Insert(First(tokens, scope), BlockId{0});
  }
  const std::vector<TokenId> tokens(100, 5);
  EXPECT_EQ(cache.Find(First(tokens, std::string(100, 's'))), BlockId{0});
}

TEST(PrefixCache, WhatHasBeenIdleForLongestGoesFirst) {
  PrefixCache cache(3);
  cache.Insert(First(kA), BlockId{0});
  cache.Insert(First(kB), BlockId{1});
  cache.Insert(First(kA, "t"), BlockId{2});
  for (const int block : {1, 0, 2}) cache.SetIdle(BlockId{block});
  // Used once more, so it is the youngest.
  cache.SetInUse(BlockId{1});
  cache.SetIdle(BlockId{1});
  EXPECT_EQ(cache.NumIdle(), 3);
  for (const int block : {0, 2, 1}) EXPECT_EQ(cache.Evict(), BlockId{block});
  EXPECT_EQ(cache.NumIdle(), 0);
  EXPECT_EQ(cache.Find(First(kA)), std::nullopt);
}

TEST(PrefixCache, NothingGoesBeforeWhatFollowsIt) {
  PrefixCache cache(4);
  cache.Insert(First(kA), BlockId{0});
  cache.Insert(After(0, kA), BlockId{1});
  cache.Insert(After(0, kB), BlockId{2});
  cache.Insert(First(kB), BlockId{3});
  for (const int block : {1, 3, 2, 0}) cache.SetIdle(BlockId{block});
  EXPECT_FALSE(cache.EvictIfLeaf(BlockId{0}));
  for (const int block : {1, 3, 2, 0}) EXPECT_EQ(cache.Evict(), BlockId{block});
}

TEST(PrefixCache, BlockInUseIsNeverEvicted) {
  PrefixCache cache(2);
  cache.Insert(First(kA), BlockId{0});
  cache.Insert(After(0, kB), BlockId{1});
  EXPECT_FALSE(cache.EvictIfLeaf(BlockId{1}));
  cache.SetIdle(BlockId{1});
  EXPECT_EQ(cache.Evict(), BlockId{1});
  // Its parent is in use, so it does not follow.
  EXPECT_EQ(cache.NumIdle(), 0);
  EXPECT_DEATH(cache.Evict(), "check failed");
}

TEST(PrefixCacheDeathTest, MisuseIsOurMistake) {
  PrefixCache cache(3);
  cache.Insert(First(kA), BlockId{0});
  EXPECT_DEATH(cache.Insert(First(kA), BlockId{1}), "check failed");
  EXPECT_DEATH(cache.Insert(First(kB), BlockId{0}), "check failed");
  EXPECT_DEATH(cache.Insert(After(2, kB), BlockId{1}), "check failed");
  EXPECT_DEATH(cache.SetInUse(BlockId{0}), "check failed");
  cache.SetIdle(BlockId{0});
  EXPECT_DEATH(cache.SetIdle(BlockId{0}), "check failed");
  EXPECT_DEATH(cache.Insert(After(0, kB), BlockId{1}), "check failed");
}

}  // namespace
}  // namespace mesh::attention
