// SPDX-License-Identifier: Apache-2.0
#include "gateway/node_selector.h"

#include <gtest/gtest.h>

#include <vector>

namespace mesh::gateway {
namespace {

TEST(NodeSelector, LeastLoadedThenFirstByName) {
  struct Case {
    std::vector<Candidate> candidates;
    std::optional<size_t> expected;
  };
  const std::vector<Case> cases = {
      {{}, std::nullopt},
      {{{"a", 3}}, 0},
      {{{"a", 3}, {"b", 2}}, 1},
      {{{"b", 2}, {"a", 2}}, 1},
      {{{"a", 0, true}, {"b", 9}}, 1},
      {{{"a", 0, true}}, std::nullopt},
      {{{"a", 0, false, true}, {"b", 9}}, 1},
      {{{"a", 0, false, true}}, 0},
      {{{"a", 5, false, true}, {"b", 4, false, true}}, 1},
      {{{"a", 0, true, true}, {"b", 4, false, true}}, 1},
      {{{"a", 2}, {"b", 9, false, false, true}}, 1},
      {{{"a", 2}, {"b", 10, false, false, true}}, 0},
      {{{"a", 2}, {"b", 0, true, false, true}}, 0},
      {{{"a", 2}, {"b", 0, false, true, true}}, 0},
  };
  for (size_t i = 0; i < cases.size(); ++i) {
    EXPECT_EQ(SelectNode(cases[i].candidates), cases[i].expected) << i;
  }
}

}  // namespace
}  // namespace mesh::gateway
