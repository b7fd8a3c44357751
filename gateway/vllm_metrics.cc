// SPDX-License-Identifier: Apache-2.0
#include "gateway/vllm_metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <vector>

#include "gateway/metric_buckets.h"

namespace mesh::gateway {
namespace {

using Labels = prometheus::Labels;

prometheus::Gauge& Gauge(prometheus::Registry& registry, const char* name,
                         const char* help, const Labels& labels) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add(
      labels);
}

prometheus::Counter& Counter(prometheus::Registry& registry, const char* name,
                             const char* help, const Labels& labels) {
  return prometheus::BuildCounter()
      .Name(name)
      .Help(help)
      .Register(registry)
      .Add(labels);
}

prometheus::Histogram& Histogram(prometheus::Registry& registry,
                                 const char* name, const char* help,
                                 const Labels& labels,
                                 const std::vector<double>& buckets) {
  return prometheus::BuildHistogram()
      .Name(name)
      .Help(help)
      .Register(registry)
      .Add(labels, buckets);
}

}  // namespace

struct VllmMetrics::State {
  State(prometheus::Registry& registry, const Labels& labels)
      : running(Gauge(registry, "vllm:num_requests_running",
                      "Requests that are executed.", labels)),
        waiting(Gauge(registry, "vllm:num_requests_waiting",
                      "Requests that wait to be executed.", labels)),
        kv_usage(Gauge(registry, "vllm:kv_cache_usage_perc",
                       "Share of the KV cache in use, 0 to 1.", labels)),
        first_token(Histogram(registry, "vllm:time_to_first_token_seconds",
                              "Time to the first token.", labels,
                              FirstTokenBuckets())),
        token_gap(Histogram(registry, "vllm:inter_token_latency_seconds",
                            "Time between two tokens.", labels,
                            TokenGapBuckets())),
        duration(Histogram(registry, "vllm:e2e_request_latency_seconds",
                           "Time from request to end.", labels,
                           RequestBuckets())),
        prompt_tokens(Counter(registry, "vllm:prompt_tokens_total",
                              "Prompt tokens.", labels)),
        prefix_queries(Counter(registry, "vllm:prefix_cache_queries_total",
                               "Prompt tokens looked up.", labels)),
        prefix_hits(Counter(registry, "vllm:prefix_cache_hits_total",
                            "Prompt tokens found.", labels)),
        generation_tokens(Counter(registry, "vllm:generation_tokens_total",
                                  "Generated tokens.", labels)) {}

  prometheus::Gauge& running;
  prometheus::Gauge& waiting;
  prometheus::Gauge& kv_usage;
  prometheus::Histogram& first_token;
  prometheus::Histogram& token_gap;
  prometheus::Histogram& duration;
  prometheus::Counter& prompt_tokens;
  prometheus::Counter& prefix_queries;
  prometheus::Counter& prefix_hits;
  prometheus::Counter& generation_tokens;
};

VllmMetrics::VllmMetrics(prometheus::Registry& registry,
                         const std::string& model)
    : state_(std::make_unique<State>(registry, Labels{{"model_name", model}})) {
}

VllmMetrics::~VllmMetrics() = default;

void VllmMetrics::SetGauges(int num_running, int num_waiting, double kv_usage) {
  state_->running.Set(num_running);
  state_->waiting.Set(num_waiting);
  state_->kv_usage.Set(kv_usage);
}

void VllmMetrics::ObserveFirstToken(absl::Duration since_request) {
  state_->first_token.Observe(absl::ToDoubleSeconds(since_request));
}

void VllmMetrics::ObserveTokenGap(absl::Duration gap) {
  state_->token_gap.Observe(absl::ToDoubleSeconds(gap));
}

void VllmMetrics::CountRequest(const RequestRecord& record) {
  state_->duration.Observe(absl::ToDoubleSeconds(record.duration));
  state_->prompt_tokens.Increment(record.num_prompt_tokens);
  state_->prefix_queries.Increment(record.num_prompt_tokens);
  state_->prefix_hits.Increment(record.num_cached_tokens);
  state_->generation_tokens.Increment(record.num_completion_tokens);
}

}  // namespace mesh::gateway
