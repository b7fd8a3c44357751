// SPDX-License-Identifier: Apache-2.0
#include "gateway/prefix_affinity.h"

#include <gtest/gtest.h>

namespace mesh::gateway {
namespace {

// `count` tokens, of which those from `differs_at` on are a variant's own.
std::vector<TokenId> Tokens(int count, int differs_at = 1 << 20,
                            TokenId variant = 0) {
  std::vector<TokenId> tokens;
  for (int i = 0; i < count; ++i) {
    tokens.push_back(i < differs_at ? i : 1000 + variant);
  }
  return tokens;
}

PrefixAffinity::Keys Keys(const std::vector<TokenId>& tokens,
                          absl::string_view salt = "s") {
  return PrefixAffinity::KeysOf(salt, tokens);
}

TEST(PrefixAffinity, OneKeyForEachWholeChunk) {
  EXPECT_TRUE(Keys(Tokens(63)).empty());
  EXPECT_EQ(Keys(Tokens(64)).size(), 1U);
  EXPECT_EQ(Keys(Tokens(200)).size(), 3U);
  EXPECT_EQ(Keys(Tokens(200))[0], Keys(Tokens(64))[0]);
  // A key stands for everything before it too.
  EXPECT_NE(Keys(Tokens(128))[1], Keys(Tokens(128, 0))[1]);
  EXPECT_NE(Keys(Tokens(64))[0], Keys(Tokens(64), "t")[0]);
}

TEST(PrefixAffinity, NodeOfTheLongestBeginning) {
  PrefixAffinity affinity(100);
  EXPECT_EQ(affinity.Find(Keys(Tokens(300))), "");
  affinity.Remember(Keys(Tokens(300, 64, 1)), "short");
  affinity.Remember(Keys(Tokens(300)), "whole");
  affinity.Remember(Keys(Tokens(300, 128, 2)), "two");
  EXPECT_EQ(affinity.Find(Keys(Tokens(400))), "whole");
  EXPECT_EQ(affinity.Find(Keys(Tokens(300, 128, 2))), "two");
  EXPECT_EQ(affinity.Find(Keys(Tokens(300, 64, 1))), "short");
  // The node that was given a beginning last.
  EXPECT_EQ(affinity.Find(Keys(Tokens(100))), "two");
  EXPECT_EQ(affinity.Find(Keys(Tokens(300), "t")), "");
}

TEST(PrefixAffinity, ForgetsWhatIsOldAndStaysBounded) {
  PrefixAffinity affinity(4);
  affinity.Remember(Keys(Tokens(64, 0, 1)), "first");
  for (TokenId other = 2; other < 6; ++other) {
    affinity.Remember(Keys(Tokens(64, 0, other)), "other");
  }
  EXPECT_EQ(affinity.Find(Keys(Tokens(64, 0, 1))), "first");
  for (TokenId other = 6; other < 10; ++other) {
    affinity.Remember(Keys(Tokens(64, 0, other)), "other");
  }
  EXPECT_EQ(affinity.Find(Keys(Tokens(64, 0, 1))), "");
  EXPECT_EQ(affinity.Find(Keys(Tokens(64, 0, 9))), "other");
}

}  // namespace
}  // namespace mesh::gateway
