// SPDX-License-Identifier: Apache-2.0
#include "router/control/term_source.h"

#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace mesh::router {
namespace {

using ::testing::HasSubstr;

TEST(FileTermSource, EachStartTakesTheNextTerm) {
  const TempDir dir;
  for (const uint64_t expected : {1U, 2U, 3U}) {
    const auto source = FileTermSource::Open(dir.Path("state"));
    ASSERT_OK(source);
    EXPECT_EQ((*source)->Term(), expected);
  }
}

TEST(FileTermSource, RaisesDurably) {
  const TempDir dir;
  {
    const auto source = FileTermSource::Open(dir.Path());
    ASSERT_OK(source);
    EXPECT_OK((*source)->RaiseAbove(9));
    EXPECT_OK((*source)->RaiseAbove(4));
    EXPECT_EQ((*source)->Term(), 10U);
  }
  const auto source = FileTermSource::Open(dir.Path());
  ASSERT_OK(source);
  EXPECT_EQ((*source)->Term(), 11U);
  EXPECT_THAT((*source)->RaiseAbove(UINT64_MAX),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_EQ((*source)->Term(), 11U);
}

TEST(FileTermSource, IsForOneRouterAtATime) {
  const TempDir dir;
  const auto source = FileTermSource::Open(dir.Path());
  ASSERT_OK(source);
  EXPECT_THAT(
      FileTermSource::Open(dir.Path()),
      StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("another router")));
}

TEST(FileTermSource, RefusesAFileThatHoldsNoTerm) {
  const TempDir dir;
  for (const char* text : {"", "seven\n", "-1\n", "99999999999999999999\n"}) {
    dir.Write("term", text);
    EXPECT_THAT(FileTermSource::Open(dir.Path()),
                StatusIs(absl::StatusCode::kDataLoss, HasSubstr("no term")))
        << text;
  }
}

TEST(FileTermSource, SaysWhereItCannotWrite) {
  EXPECT_THAT(FileTermSource::Open("/proc/nowhere"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("--state-dir")));
}

}  // namespace
}  // namespace mesh::router
