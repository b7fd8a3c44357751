// SPDX-License-Identifier: Apache-2.0
#include "router/control/holdings_table.h"

#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace mesh::router {
namespace {

using ::testing::HasSubstr;

constexpr NodeId kOne{1};
constexpr NodeId kTwo{2};

Holding Make(uint16_t layer, uint16_t expert, uint64_t digest) {
  return {{LayerId{layer}, ExpertId{expert}}, Digest{0, digest}};
}

class HoldingsTableTest : public ::testing::Test {
 protected:
  absl::Status Set(NodeId node, std::vector<Holding> holdings) {
    return table_.Set(node, holdings);
  }

  ExpertGrid grid_{{LayerId{3}, LayerId{4}}, 2};
  HoldingsTable table_{grid_};
};

TEST_F(HoldingsTableTest, KnowsWhoHoldsWhat) {
  ASSERT_OK(Set(kOne, {Make(3, 0, 10), Make(4, 1, 13)}));
  ASSERT_OK(Set(kTwo, {Make(3, 0, 10)}));
  EXPECT_EQ(table_.Of(kOne), (ExpertSet{true, false, false, true}));
  EXPECT_EQ(table_.NumHolders(0), 2U);
  EXPECT_EQ(table_.NumHolders(1), 0U);
  ASSERT_OK(Set(kOne, {Make(3, 1, 11)}));
  EXPECT_EQ(table_.NumHolders(0), 1U);
  table_.Remove(kTwo);
  EXPECT_EQ(table_.NumHolders(0), 0U);
  EXPECT_EQ(CountOf(table_.Of(kTwo)), 0U);
}

TEST_F(HoldingsTableTest, RefusesOtherWeightsThanAnotherNodeHolds) {
  ASSERT_OK(Set(kOne, {Make(3, 0, 10)}));
  EXPECT_THAT(
      Set(kTwo, {Make(4, 0, 12), Make(3, 0, 99)}),
      StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("digest")));
  EXPECT_EQ(CountOf(table_.Of(kTwo)), 0U);
  EXPECT_EQ(table_.NumHolders(2), 0U);
  // Once the first is gone there is nothing to contradict.
  table_.Remove(kOne);
  EXPECT_OK(Set(kTwo, {Make(3, 0, 99)}));
}

TEST_F(HoldingsTableTest, RefusesWhatIsNotInTheModelAndDoubles) {
  const auto invalid = StatusIs(absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(Set(kOne, {Make(3, 2, 1)}), invalid);
  EXPECT_THAT(Set(kOne, {Make(5, 0, 1)}), invalid);
  EXPECT_THAT(Set(kOne, {Make(3, 0, 1), Make(3, 0, 1)}), invalid);
  EXPECT_EQ(table_.NumHolders(0), 0U);
}

}  // namespace
}  // namespace mesh::router
