// SPDX-License-Identifier: Apache-2.0
#include "router/transport/replay_window.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace mesh::router {
namespace {

TEST(ReplayWindow, AdmitsEachNumberOnce) {
  ReplayWindow window;
  for (const uint64_t sequence : {0, 1, 5, 3, 4, 2, 6}) {
    EXPECT_TRUE(window.Admit(sequence)) << sequence;
  }
  for (uint64_t sequence = 0; sequence < 7; ++sequence) {
    EXPECT_FALSE(window.Admit(sequence)) << sequence;
  }
}

TEST(ReplayWindow, RefusesWhatIsTooOldToTell) {
  ReplayWindow window;
  EXPECT_TRUE(window.Admit(2000));
  EXPECT_TRUE(window.Admit(2001 - ReplayWindow::kSize));
  EXPECT_FALSE(window.Admit(2000 - ReplayWindow::kSize));
  EXPECT_FALSE(window.Admit(0));
}

TEST(ReplayWindow, SurvivesTheLargestJump) {
  ReplayWindow window;
  EXPECT_TRUE(window.Admit(0));
  EXPECT_TRUE(window.Admit(UINT64_MAX - 1));
  EXPECT_TRUE(window.Admit(UINT64_MAX - 5));
  EXPECT_FALSE(window.Admit(UINT64_MAX - 1));
  EXPECT_FALSE(window.Admit(0));
}

TEST(ReplayWindow, AgreesWithASetOfNumbers) {
  std::mt19937_64 random(7);
  ReplayWindow window;
  std::set<uint64_t> seen;
  uint64_t highest = 0;
  for (int i = 0; i < 200000; ++i) {
    const uint64_t back = random() % 1500;
    const uint64_t ahead = random() % 50 == 0 ? random() % 3000 : random() % 3;
    const uint64_t base = highest + ahead;
    const uint64_t sequence = base > back ? base - back : 0;
    const bool too_old =
        !seen.empty() && sequence + ReplayWindow::kSize <= highest;
    const bool expected = !too_old && seen.insert(sequence).second;
    ASSERT_EQ(window.Admit(sequence), expected) << sequence << " " << highest;
    if (expected && sequence > highest) highest = sequence;
  }
}

}  // namespace
}  // namespace mesh::router
