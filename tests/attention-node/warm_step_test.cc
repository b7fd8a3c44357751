// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "tests/attention-node/forward_harness.h"
#include "tests/attention-node/random_model.h"
#include "tests/support/allocation_count.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace mesh::attention {
namespace {

// Stands in for the experts without a single allocation.
class SilentDispatch final : public router::ExpertDispatch {
 public:
  absl::StatusOr<router::DispatchHandle> Dispatch(
      const router::RoutedBatch& /*batch*/) override {
    return router::DispatchHandle{1};
  }
  absl::Status Combine(router::DispatchHandle /*handle*/,
                       MatrixView<float> out) override {
    for (int row = 0; row < out.Rows(); ++row) {
      std::ranges::fill(out.Row(row), 0.0F);
    }
    return absl::OkStatus();
  }
};

TEST(WarmStep, AllocatesNothing) {
  const TempDir dir;
  WriteRandomModel(dir.Path(), "{}", 2);
  ForwardHarness harness(dir.Path(), "scalar");
  ThreadPool pool(2);
  LatentKvCache::Options options =
      Transformer::CacheOptions(harness.Config(), harness.Kernels());
  options.num_blocks = 1;
  const auto cache = LatentKvCache::Create(options);
  ASSERT_OK(cache);
  const auto weights =
      LoadAttentionWeights(harness.Checkpoint(), harness.Kernels(), pool);
  ASSERT_OK(weights);
  SilentDispatch dispatch;
  const RealClock clock;
  const auto transformer = Transformer::Create(
      {.weights = *weights,
       .compute = {.kernels = harness.Kernels(), .pool = &pool},
       .cache = **cache,
       .dispatch = dispatch,
       .clock = clock});
  ASSERT_OK(transformer);

  const std::vector<TokenId> ids = {1, 2, 3, 4, 5, 6, 7};
  const std::vector<BlockId> blocks = {BlockId{0}};
  StepBatch batch;
  batch.sequences.push_back({.request = RequestId{1},
                             .num_rows = 7,
                             .token_ids = ids,
                             .block_table = blocks,
                             .num_logits = 2});
  batch.num_rows = 7;
  batch.num_logits = 2;
  std::vector<float> logits(2 * 160);
  const MatrixView<float> view(logits.data(), 2, 160);
  ASSERT_OK((*transformer)->Forward(batch, view));
  const int before = NumAllocations();
  ASSERT_GT(before, 0);
  const absl::Status status = (*transformer)->Forward(batch, view);
  const int after = NumAllocations();  // assertions allocate as well
  ASSERT_OK(status);
  EXPECT_EQ(after - before, 0);
}

}  // namespace
}  // namespace mesh::attention
