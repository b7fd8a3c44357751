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
  GatewayMetrics metrics(registry, "m", /*as_vllm=*/false);
  metrics.CountRequest("grpc", {.outcome = "stop",
                                .duration = absl::Seconds(3),
                                .num_prompt_tokens = 5,
                                .num_cached_tokens = 2,
                                .num_completion_tokens = 10,
                                .num_reasoning_tokens = 4});
  metrics.ObserveFirstToken(absl::Milliseconds(3));
  metrics.ObserveTokenGap(absl::Milliseconds(9));
  metrics.CountMigration("lost");
  metrics.ObserveQueueTime(absl::Milliseconds(3));
  metrics.SetGauges({.requests_running = 3,
                     .requests_waiting = 7,
                     .streams_open = 2,
                     .stream_capacity = 64,
                     .attention_nodes = 1,
                     .kv_usage = 0});
  metrics.SetShed("full", 4);
  metrics.SetShed("full", 6);
  metrics.SetConnections("http", "accepted", 9);
  metrics.SetIdempotent("replayed", 2);
  metrics.CountResponse("grpc", "Tokenize", "UNAUTHENTICATED");
  const std::string text =
      prometheus::TextSerializer().Serialize(registry.Collect());
  for (const char* line :
       {"mesh_requests_total{model=\"m\",api=\"grpc\",outcome=\"stop\"} 1\n",
        "mesh_requests_shed_total{model=\"m\",reason=\"full\"} 6\n",
        "mesh_request_duration_seconds_bucket{model=\"m\",le=\"5\"} 1\n",
        "mesh_request_duration_seconds_bucket{model=\"m\",le=\"2.5\"} 0\n",
        "mesh_request_queue_seconds_bucket{model=\"m\",le=\"0.005\"} 1\n",
        "mesh_time_to_first_token_seconds_bucket{model=\"m\",le=\"0.005\"} 1\n",
        "mesh_inter_token_latency_seconds_bucket{model=\"m\",le=\"0.01\"} 1\n",
        "mesh_request_prompt_tokens_bucket{model=\"m\",le=\"5\"} 1\n",
        "mesh_request_completion_tokens_bucket{model=\"m\",le=\"5\"} 0\n",
        "mesh_prompt_tokens_total{model=\"m\",source=\"computed\"} 3\n",
        "mesh_prompt_tokens_total{model=\"m\",source=\"cached\"} 2\n",
        "mesh_completion_tokens_total{model=\"m\",kind=\"reasoning\"} 4\n",
        "mesh_completion_tokens_total{model=\"m\",kind=\"answer\"} 6\n",
        "mesh_stream_migrations_total{model=\"m\",reason=\"lost\"} 1\n",
        "mesh_gateway_connections_total{port=\"http\",what=\"accepted\"} 9\n",
        "mesh_gateway_responses_total{code=\"UNAUTHENTICATED\","
        "port=\"grpc\",route=\"Tokenize\"} 1\n",
        "mesh_idempotent_requests_total{what=\"replayed\"} 2\n",
        "mesh_requests_running{model=\"m\"} 3\n",
        "mesh_requests_waiting{model=\"m\"} 7\n",
        "mesh_streams_open{model=\"m\"} 2\n",
        "mesh_stream_capacity{model=\"m\"} 64\n",
        "mesh_gateway_attention_nodes 1\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST(GatewayMetrics, AreAlsoVllmsIfWanted) {
  prometheus::Registry registry;
  GatewayMetrics metrics(registry, "m", /*as_vllm=*/true);
  metrics.CountRequest("grpc", {.outcome = "stop",
                                .duration = absl::Seconds(3),
                                .num_prompt_tokens = 5,
                                .num_cached_tokens = 2,
                                .num_completion_tokens = 10,
                                .num_reasoning_tokens = 4});
  metrics.ObserveFirstToken(absl::Milliseconds(3));
  metrics.ObserveTokenGap(absl::Milliseconds(9));
  metrics.SetGauges({.requests_running = 3,
                     .requests_waiting = 1,
                     .streams_open = 2,
                     .stream_capacity = 2,
                     .attention_nodes = 1,
                     .kv_usage = 0.25});
  const std::string text =
      prometheus::TextSerializer().Serialize(registry.Collect());
  for (const char* line :
       {"vllm:num_requests_running{model_name=\"m\"} 2\n",
        "vllm:num_requests_waiting{model_name=\"m\"} 1\n",
        "vllm:kv_cache_usage_perc{model_name=\"m\"} 0.25\n",
        "vllm:time_to_first_token_seconds_count{model_name=\"m\"} 1\n",
        "vllm:inter_token_latency_seconds_count{model_name=\"m\"} 1\n",
        "vllm:e2e_request_latency_seconds_sum{model_name=\"m\"} 3\n",
        "vllm:prompt_tokens_total{model_name=\"m\"} 5\n",
        "vllm:prefix_cache_queries_total{model_name=\"m\"} 5\n",
        "vllm:prefix_cache_hits_total{model_name=\"m\"} 2\n",
        "vllm:generation_tokens_total{model_name=\"m\"} 10\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

}  // namespace
}  // namespace mesh::gateway
