// SPDX-License-Identifier: Apache-2.0
#include "service/handshake_proto.h"

#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace mesh::service {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr auto kOther = absl::StatusCode::kFailedPrecondition;
constexpr Digest kDigest = {.high = 0x0102030405060708,
                            .low = 0x090a0b0c0d0e0fff};

TEST(Handshake, DigestsSurviveTheWire) {
  const std::string bytes = DigestBytes(kDigest);
  EXPECT_EQ(bytes, "\1\2\3\4\5\6\7\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\xff");
  const auto parsed = ParseDigestBytes(bytes);
  ASSERT_OK(parsed);
  EXPECT_EQ(parsed->high, kDigest.high);
  EXPECT_EQ(parsed->low, kDigest.low);
  EXPECT_THAT(ParseDigestBytes("short"),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(Handshake, TheSameProgramAndModelAgree) {
  const auto ours = MakeHandshake(kDigest, "bf16-1");
  EXPECT_OK(CheckHandshake(ours, ours, "expert-0"));
  EXPECT_OK(CheckHandshake(ours, MakeHandshake(), "gateway-0"));
  EXPECT_OK(CheckHandshake(MakeHandshake(), ours, "expert-0"));
}

TEST(Handshake, MismatchesNameBothSides) {
  const auto ours = MakeHandshake(kDigest, "bf16-1");
  EXPECT_THAT(
      CheckHandshake(ours, MakeHandshake({.high = 1, .low = 2}, "bf16-1"),
                     "expert-0"),
      StatusIs(kOther,
               AllOf(HasSubstr("expert-0"), HasSubstr("0102030405060708"),
                     HasSubstr("00000000000000010000"))));
  EXPECT_THAT(
      CheckHandshake(ours, MakeHandshake(kDigest, "f32-1"), "expert-0"),
      StatusIs(kOther, AllOf(HasSubstr("\"f32-1\""), HasSubstr("\"bf16-1\""))));
  auto later = ours;
  later.set_min_protocol_version(7);
  later.set_max_protocol_version(9);
  EXPECT_THAT(CheckHandshake(ours, later, "expert-0"),
              StatusIs(kOther, HasSubstr("protocol 7 to 9")));
}

TEST(Handshake, TakesNothingThatNoProgramSends) {
  auto theirs = MakeHandshake();
  theirs.set_model_digest("short");
  EXPECT_THAT(CheckHandshake(MakeHandshake(), theirs, "expert-0"),
              StatusIs(absl::StatusCode::kInvalidArgument));
  theirs = MakeHandshake(kDigest, std::string(10000, '\xff'));
  const absl::Status status =
      CheckHandshake(MakeHandshake(kDigest, "bf16-1"), theirs, "expert-0");
  EXPECT_THAT(status, StatusIs(kOther));
  EXPECT_LT(status.message().size(), 500U);
}

}  // namespace
}  // namespace mesh::service
