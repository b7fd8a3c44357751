// SPDX-License-Identifier: Apache-2.0
#include "gateway/admission/api_key.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "tests/support/temp_dir.h"

namespace mesh::gateway {
namespace {

TEST(ApiKey, DrawnOnesAreParsedAndDiffer) {
  const auto first = DrawApiKey();
  const auto second = DrawApiKey();
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_NE(first->id, second->id);
  EXPECT_NE(first->secret, second->secret);
  EXPECT_EQ(first->Text().size(), 8u + 12 + 1 + 43);
  const std::optional<ApiKey> parsed = ParseApiKey(first->Text());
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->id, first->id);
  EXPECT_EQ(parsed->secret, first->secret);
}

TEST(ApiKey, WhateverElseIsNone) {
  const std::string good = "sk-mesh-abcdefABCDEF-" + std::string(43, '_');
  ASSERT_TRUE(ParseApiKey(good).has_value());
  std::string with_nul = good;
  with_nul[30] = '\0';
  std::string with_line_feed = good;
  with_line_feed[30] = '\n';
  std::string not_utf8 = good;
  not_utf8[30] = '\xff';
  std::string bad_id = good;
  bad_id[10] = '-';
  for (const std::string& text :
       {std::string(), std::string("sk-mesh-"), good + "x",
        good.substr(0, good.size() - 1), " " + good, "SK" + good.substr(2),
        with_nul, with_line_feed, not_utf8, bad_id, std::string(100000, 'x')}) {
    EXPECT_FALSE(ParseApiKey(text).has_value()) << text.substr(0, 80);
  }
}

TEST(ApiKey, HashIsHmacSha256) {
  // RFC 4231, test case 2.
  const SecretHash hash = HashSecret("Jefe", "what do ya want for nothing?");
  EXPECT_EQ(ToHex(hash),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(SecretHashFromHex(ToHex(hash)), hash);
  EXPECT_TRUE(
      SameHash(hash, HashSecret("Jefe", "what do ya want for nothing?")));
  EXPECT_FALSE(
      SameHash(hash, HashSecret("jefe", "what do ya want for nothing?")));
}

TEST(ApiKey, HashesInHexAreChecked) {
  EXPECT_FALSE(SecretHashFromHex("").has_value());
  EXPECT_FALSE(SecretHashFromHex(std::string(63, 'a')).has_value());
  EXPECT_FALSE(SecretHashFromHex(std::string(64, 'g')).has_value());
  EXPECT_TRUE(SecretHashFromHex(std::string(64, 'A')).has_value());
}

TEST(Pepper, IsReadFromAFileThatOthersMayNotRead) {
  const TempDir dir;
  const std::string path = dir.Path("pepper");
  EXPECT_EQ(ReadPepper(path).status().code(), absl::StatusCode::kNotFound);
  std::ofstream(path) << "  0123456789abcdef\n";
  ASSERT_EQ(chmod(path.c_str(), 0644), 0);
  EXPECT_EQ(ReadPepper(path).status().code(),
            absl::StatusCode::kInvalidArgument);
  ASSERT_EQ(chmod(path.c_str(), 0440), 0);
  EXPECT_EQ(ReadPepper(path).value(), "0123456789abcdef");
}

TEST(Pepper, MustBeLong) {
  const TempDir dir;
  const std::string path = dir.Path("pepper");
  std::ofstream(path) << "0123456789abcde\n\n\n";
  ASSERT_EQ(chmod(path.c_str(), 0600), 0);
  EXPECT_EQ(ReadPepper(path).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace mesh::gateway
