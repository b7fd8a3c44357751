// SPDX-License-Identifier: Apache-2.0
#include "cli/text_table.h"

#include "gtest/gtest.h"

namespace mesh::cli {
namespace {

TEST(TextTable, ColumnsAreAsWideAsTheirWidestCell) {
  EXPECT_EQ(
      TextTable({{"NODE", "N", "WHY"}, {"a", "123", ""}, {"bcdef", "4"}}, {1}),
      "NODE     N  WHY\n"
      "a      123\n"
      "bcdef    4\n");
}

TEST(TextTable, ShowsNoControlCharacters) {
  EXPECT_EQ(TextTable({{"a\033[2J\nb"}}, {}), "a?[2J?b\n");
}

TEST(TextTable, EmptyIsNothing) { EXPECT_EQ(TextTable({}, {}), ""); }

TEST(BytesText, PicksTheUnit) {
  EXPECT_EQ(BytesText(0), "0 B");
  EXPECT_EQ(BytesText(1023), "1023 B");
  EXPECT_EQ(BytesText(3584), "3.5 KiB");
  EXPECT_EQ(BytesText(1024.0 * 1024 * 1024 * 1.25), "1.2 GiB");
  EXPECT_EQ(BytesText(1024.0 * 1024 * 1024 * 1024 * 2048), "2048.0 TiB");
}

TEST(EpochText, IsTermAndSequence) {
  EXPECT_EQ(EpochText(0), "-");
  EXPECT_EQ(EpochText((uint64_t{3} << 32) | 14), "3.14");
}

}  // namespace
}  // namespace mesh::cli
