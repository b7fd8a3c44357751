// SPDX-License-Identifier: Apache-2.0
#include "gateway/gateway_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

namespace mesh::gateway {
namespace {

using ::testing::HasSubstr;

TEST(GatewayMetrics, CountsWhatItIsTold) {
  prometheus::Registry registry;
  GatewayMetrics metrics(registry);
  metrics.CountRequest("grpc", {.outcome = "stop",
                                .duration = absl::Seconds(3),
                                .num_prompt_tokens = 5,
                                .num_completion_tokens = 10,
                                .num_reasoning_tokens = 4});
  metrics.ObserveFirstToken(absl::Milliseconds(3));
  metrics.ObserveTokenGap(absl::Milliseconds(9));
  metrics.CountMigration("lost");
  metrics.SetGauges(3, 2, 1);
  const std::string text =
      prometheus::TextSerializer().Serialize(registry.Collect());
  for (const char* line :
       {"mesh_requests_total{api=\"grpc\",outcome=\"stop\"} 1\n",
        "mesh_request_duration_seconds_bucket{le=\"5\"} 1\n",
        "mesh_request_duration_seconds_bucket{le=\"2.5\"} 0\n",
        "mesh_time_to_first_token_seconds_bucket{le=\"0.005\"} 1\n",
        "mesh_inter_token_latency_seconds_bucket{le=\"0.01\"} 1\n",
        "mesh_prompt_tokens_total 5\n",
        "mesh_completion_tokens_total{kind=\"reasoning\"} 4\n",
        "mesh_completion_tokens_total{kind=\"answer\"} 6\n",
        "mesh_stream_migrations_total{reason=\"lost\"} 1\n",
        "mesh_requests_running 3\n", "mesh_streams_open 2\n",
        "mesh_gateway_attention_nodes 1\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

}  // namespace
}  // namespace mesh::gateway
