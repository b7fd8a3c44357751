// SPDX-License-Identifier: Apache-2.0
#include "attention-node/attention_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

namespace mesh::attention {
namespace {

using ::testing::HasSubstr;

TEST(AttentionMetrics, FollowsTheCounters) {
  prometheus::Registry registry;
  AttentionMetrics metrics(registry);
  metrics.SetLoadSeconds(1.5);
  EngineCounters engine{.steps = 1,
                        .prefill_rows = 10,
                        .decode_rows = 2,
                        .preemptions = 4,
                        .emitted_tokens = 12,
                        .prompt_tokens = 30,
                        .cached_prompt_tokens = 20,
                        .running = 2,
                        .waiting = 1,
                        .total_blocks = 8,
                        .free_blocks = 6,
                        .kept_blocks = 4};
  metrics.OnStep(absl::Milliseconds(3), engine);
  metrics.OnStep(absl::Milliseconds(3), engine);  // no pass: a nudge
  metrics.Update(engine);

  const std::string text =
      prometheus::TextSerializer().Serialize(registry.Collect());
  EXPECT_THAT(text, HasSubstr("mesh_step_duration_seconds_count 1\n"));
  EXPECT_THAT(text, HasSubstr("mesh_step_tokens_sum{phase=\"prefill\"} 10\n"));
  EXPECT_THAT(text, HasSubstr("mesh_step_tokens_sum{phase=\"decode\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("mesh_kv_blocks{state=\"free\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("mesh_kv_blocks{state=\"cached\"} 4\n"));
  EXPECT_THAT(text, HasSubstr("mesh_kv_blocks{state=\"used\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("mesh_kv_cache_usage_ratio 0.25\n"));
  EXPECT_THAT(text, HasSubstr("mesh_preemptions_total 4\n"));
  EXPECT_THAT(text, HasSubstr("mesh_emitted_tokens_total 12\n"));
  EXPECT_THAT(text, HasSubstr("mesh_prefix_cache_queried_tokens_total 30\n"));
  EXPECT_THAT(text, HasSubstr("mesh_prefix_cache_hit_tokens_total 20\n"));
  EXPECT_THAT(text, HasSubstr("mesh_streams_running 2\n"));
  EXPECT_THAT(text, HasSubstr("mesh_streams_waiting 1\n"));
  EXPECT_THAT(text, HasSubstr("mesh_weights_load_seconds 1.5\n"));
}

}  // namespace
}  // namespace mesh::attention
