// SPDX-License-Identifier: Apache-2.0
#include "expert-node/expert_size.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/file.h"
#include "expert-node/expert_loader.h"
#include "model/make_model.h"
#include "model/moe_layers.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace mesh::expert {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kMiB = 1 << 20;

void ExpectSizeAsPacked(const std::string& dir) {
  const auto checkpoint = *model::Checkpoint::Open(dir);
  const router::ExpertKey key{model::MoeLayers(checkpoint->Config()).back(),
                              ExpertId{1}};
  for (const char* name : {"reference", "scalar"}) {
    const auto kernels = *kernels::Kernels::Select(name);
    const auto weights = ReadExpert(*checkpoint, kernels, key);
    ASSERT_OK(weights);
    const auto bytes = PackedExpertBytes(*checkpoint, kernels);
    ASSERT_OK(bytes);
    EXPECT_EQ(*bytes, (*weights)->SizeBytes()) << name;
  }
}

TEST(ExpertSize, IsThatOfAPackedExpert) {
  const std::string tiny = std::string(MESH_SOURCE_DIR) + "/models/tiny-r1";
  ExpectSizeAsPacked(tiny);
  const TempDir dir;
  ThreadPool pool(2);
  model::MakeModelOptions options;
  options.fp8 = true;
  ASSERT_OK(model::MakeModel(*ReadFile(tiny + "/config.json", kMiB),
                             dir.Path("fp8"), options, pool));
  ExpectSizeAsPacked(dir.Path("fp8"));
}

TEST(ExpertSize, CapacityIsBoundedByMemoryAndByTheModel) {
  EXPECT_EQ(*ExpertCapacity(kMiB, 100, 0, 1024 * kMiB), 100);
  EXPECT_EQ(*ExpertCapacity(kMiB, 1000, 0, 1024 * kMiB), 768);
  EXPECT_EQ(*ExpertCapacity(kMiB, 1000, 0, 16384 * kMiB), 1000);
  EXPECT_EQ(*ExpertCapacity(kMiB, 1000, 10 * kMiB, 1024 * kMiB), 10);
  EXPECT_EQ(*ExpertCapacity(kMiB, 1000, 0, UINT64_MAX), 1000);
}

TEST(ExpertSize, RefusesTooLittleMemoryInOneSentence) {
  const auto none = ExpertCapacity(8 * kMiB, 100, 0, 100 * kMiB);
  EXPECT_THAT(none, StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_THAT(std::string(none.status().message()),
              HasSubstr("too little for one expert of 8.0 MiB"));
  const auto greedy = ExpertCapacity(kMiB, 100, 900 * kMiB, 1024 * kMiB);
  EXPECT_THAT(greedy, StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_THAT(
      std::string(greedy.status().message()),
      HasSubstr("--memory asks for 900 MiB, but only 768 MiB are free"));
  EXPECT_THAT(ExpertCapacity(8 * kMiB, 100, 4 * kMiB, 1024 * kMiB),
              StatusIs(absl::StatusCode::kResourceExhausted));
}

}  // namespace
}  // namespace mesh::expert
