// SPDX-License-Identifier: Apache-2.0
#include "attention-node/weights_loading.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace mesh::attention {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr uint64_t kMiB = uint64_t{1} << 20;

TEST(WeightsLoading, SaysWhatDoesNotFitAndWhatToDo) {
  EXPECT_OK(CheckMemory(100 * kMiB, 100 * kMiB, 300 * kMiB));
  EXPECT_THAT(
      CheckMemory(100 * kMiB, 150 * kMiB, 300 * kMiB),
      StatusIs(absl::StatusCode::kResourceExhausted,
               AllOf(HasSubstr("weights need 100 MiB and the KV cache 150 MiB"),
                     HasSubstr("300 MiB of memory are available"),
                     HasSubstr("--kv-memory"))));
}

TEST(WeightsLoading, TellsTheTimeLeft) {
  EXPECT_EQ(DescribeLoading(0, 400 * kMiB, absl::Seconds(1)),
            "loading weights 0/400 MiB");
  EXPECT_EQ(DescribeLoading(kMiB / 2, 3 * kMiB, absl::Seconds(1)),
            "loading weights 0/3 MiB");
  EXPECT_EQ(DescribeLoading(2 * kMiB, 3 * kMiB, absl::Milliseconds(100)),
            "loading weights 2/3 MiB");
  EXPECT_EQ(DescribeLoading(100 * kMiB, 400 * kMiB, absl::Seconds(2)),
            "loading weights 100/400 MiB, 6 s left");
  EXPECT_EQ(DescribeLoading(500 * kMiB, 400 * kMiB, absl::Seconds(2)),
            "loading weights 400/400 MiB, 0 s left");
}

TEST(WeightsLoading, CountsAllButTheExperts) {
  const auto checkpoint =
      model::Checkpoint::Open(std::string(MESH_SOURCE_DIR) + "/models/tiny-r1");
  ASSERT_OK(checkpoint);
  uint64_t all = 0;
  for (const std::string& name : (*checkpoint)->TensorNames()) {
    all += (*checkpoint)->Find(name)->NumBytes();
  }
  const uint64_t bytes = AttentionBytes(**checkpoint);
  EXPECT_GT(bytes, all / 100);
  EXPECT_LT(bytes, all / 2);
}

}  // namespace
}  // namespace mesh::attention
