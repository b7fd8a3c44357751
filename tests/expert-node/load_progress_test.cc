// SPDX-License-Identifier: Apache-2.0
#include "expert-node/load_progress.h"

#include <gtest/gtest.h>

namespace mesh::expert {
namespace {

TEST(LoadProgress, TellsTheTimeLeftOnceItCanBeJudged) {
  const absl::Time start = absl::UnixEpoch();
  const LoadProgress none{.done = 0, .total = 512, .started = start};
  EXPECT_EQ(Describe(none, start + absl::Seconds(9)), "loading experts 0/512");
  const LoadProgress early{.done = 3, .total = 512, .started = start};
  EXPECT_EQ(Describe(early, start + absl::Milliseconds(100)),
            "loading experts 3/512");
  const LoadProgress some{.done = 128, .total = 512, .started = start};
  EXPECT_EQ(Describe(some, start + absl::Milliseconds(1300)),
            "loading experts 128/512, 4 s left");
}

}  // namespace
}  // namespace mesh::expert
