// SPDX-License-Identifier: Apache-2.0
#include "gateway/admission/cache_salt.h"

#include <gtest/gtest.h>

#include "absl/strings/escaping.h"

namespace mesh::gateway {
namespace {

TEST(CacheSalt, SameTenantAndSaltGiveTheSame) {
  EXPECT_EQ(CacheSalt("a", ""), CacheSalt("a", ""));
  EXPECT_EQ(CacheSalt("a", "s").size(), 32U);
}

TEST(CacheSalt, TenantsAndSaltsAreKeptApart) {
  EXPECT_NE(CacheSalt("a", ""), CacheSalt("b", ""));
  EXPECT_NE(CacheSalt("a", ""), CacheSalt("a", "s"));
  EXPECT_NE(CacheSalt("a", "s"), CacheSalt("a", "t"));
  // Not even by a salt that looks like the end of another tenant's name.
  EXPECT_NE(CacheSalt("a", "bc"), CacheSalt("ab", "c"));
  EXPECT_NE(CacheSalt("1:a", ""), CacheSalt("1", ":a"));
}

// printf '6:tenantsalt' | sha256sum
TEST(CacheSalt, IsSha256) {
  EXPECT_EQ(absl::BytesToHexString(CacheSalt("tenant", "salt")),
            "aeb2fcd96e7999ad1e52bef8cd7c037201c47b5c713908e9873bd2a9ff082eb0");
}

}  // namespace
}  // namespace mesh::gateway
