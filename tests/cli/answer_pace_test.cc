// SPDX-License-Identifier: Apache-2.0
#include "cli/answer_pace.h"

#include "gtest/gtest.h"

namespace mesh::cli {
namespace {

absl::Time At(double seconds) {
  return absl::UnixEpoch() + absl::Seconds(seconds);
}

TEST(AnswerPace, SaysNothingOfNoTokens) {
  AnswerPace pace(At(0));
  EXPECT_EQ(pace.Text(), "");
  pace.Add(0, At(1));
  EXPECT_EQ(pace.Text(), "");
  EXPECT_EQ(pace.NumTokens(), 0);
}

TEST(AnswerPace, OneTokenHasNoRate) {
  AnswerPace pace(At(0));
  pace.Add(1, At(0.25));
  EXPECT_EQ(pace.Text(), "1 token, first after 0.2 s");
}

TEST(AnswerPace, NorHaveTokensThatComeAtOnce) {
  AnswerPace pace(At(0));
  pace.Add(7, At(1.5));
  EXPECT_EQ(pace.Text(), "7 tokens, first after 1.5 s");
}

TEST(AnswerPace, TheWaitForTheFirstDoesNotCountForTheRate) {
  AnswerPace pace(At(0));
  pace.Add(2, At(10));
  pace.Add(0, At(10.5));
  pace.Add(30, At(11));
  pace.Add(32, At(12));
  pace.Add(0, At(99));
  EXPECT_EQ(pace.Text(), "64 tokens, 31 tokens/s, first after 10.0 s");
}

TEST(AnswerPace, ASlowRateHasADecimal) {
  AnswerPace pace(At(0));
  pace.Add(1, At(1));
  pace.Add(1, At(3));
  EXPECT_EQ(pace.Text(), "2 tokens, 0.5 tokens/s, first after 1.0 s");
}

}  // namespace
}  // namespace mesh::cli
