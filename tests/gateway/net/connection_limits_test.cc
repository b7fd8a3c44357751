// SPDX-License-Identifier: Apache-2.0
#include "gateway/net/connection_limits.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"

namespace mesh::gateway {
namespace {

using Permit = ConnectionLimits::Permit;
using Refusal = ConnectionLimits::Refusal;

class ConnectionLimitsTest : public ::testing::Test {
 protected:
  // The refusal, if it is one; else the permit is kept.
  std::optional<Refusal> Admit(absl::string_view address) {
    auto admitted = limits_.Admit(address);
    if (const auto* why = std::get_if<Refusal>(&admitted)) return *why;
    permits_.push_back(std::get<Permit>(std::move(admitted)));
    return std::nullopt;
  }

  FakeClock clock_;
  ConnectionLimits limits_{{5, 3, 4}, clock_};
  std::vector<Permit> permits_;
};

TEST_F(ConnectionLimitsTest, PerAddress) {
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Admit("a"), std::nullopt);
  EXPECT_EQ(Admit("a"), Refusal::kPerAddress);
  EXPECT_EQ(Admit("b"), std::nullopt);
  permits_.erase(permits_.begin());
  EXPECT_EQ(Admit("a"), std::nullopt);
}

TEST_F(ConnectionLimitsTest, InTotal) {
  for (int i = 0; i < 5; ++i) EXPECT_EQ(Admit(absl::StrCat(i)), std::nullopt);
  EXPECT_EQ(Admit("other"), Refusal::kTotal);
  permits_.pop_back();
  EXPECT_EQ(Admit("other"), std::nullopt);
  EXPECT_EQ(limits_.NumConnections(), 5);
}

TEST_F(ConnectionLimitsTest, PerSecond) {
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(Admit("a"), std::nullopt);
    permits_.clear();
  }
  EXPECT_EQ(Admit("a"), Refusal::kRate);
  EXPECT_EQ(Admit("b"), std::nullopt);
  permits_.clear();
  // One is earned in a quarter of a second; knocking meanwhile costs nothing.
  clock_.Advance(absl::Milliseconds(200));
  EXPECT_EQ(Admit("a"), Refusal::kRate);
  clock_.Advance(absl::Milliseconds(51));
  EXPECT_EQ(Admit("a"), std::nullopt);
  EXPECT_EQ(Admit("a"), Refusal::kRate);
}

TEST_F(ConnectionLimitsTest, ARestEarnsNoMoreThanABurst) {
  clock_.Advance(absl::Hours(1));
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(Admit("a"), std::nullopt);
    permits_.clear();
  }
  EXPECT_EQ(Admit("a"), Refusal::kRate);
}

TEST_F(ConnectionLimitsTest, APermitFreesItsPlaceOnce) {
  EXPECT_EQ(Admit("a"), std::nullopt);
  Permit moved = std::move(permits_.front());
  permits_.clear();
  EXPECT_EQ(limits_.NumConnections(), 1);
  moved = Permit();
  EXPECT_EQ(limits_.NumConnections(), 0);
}

TEST_F(ConnectionLimitsTest, APermitMayOutliveTheLimits) {
  std::optional<ConnectionLimits> limits(
      std::in_place, ConnectionLimits::Options{5, 3, 4}, clock_);
  const auto permit = limits->Admit("a");
  limits.reset();
  EXPECT_TRUE(std::holds_alternative<Permit>(permit));
}

TEST_F(ConnectionLimitsTest, ManyAddressesComeAndGo) {
  for (int i = 0; i < 100'000; ++i) {
    EXPECT_EQ(Admit(absl::StrCat("address ", i)), std::nullopt);
    permits_.clear();
    clock_.Advance(absl::Milliseconds(1));
  }
  EXPECT_EQ(limits_.NumConnections(), 0);
}

}  // namespace
}  // namespace mesh::gateway
