// SPDX-License-Identifier: Apache-2.0
#include "gateway/gateway_metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

namespace mesh::gateway {
namespace {

using Buckets = prometheus::Histogram::BucketBoundaries;

// Those of vLLM and SGLang, so that dashboards can be compared.
const Buckets& FirstTokenBuckets() {
  static const Buckets buckets = {.001, .005, .01, .02, .04, .06, .08, .1,
                                  .25,  .5,   .75, 1,   2.5, 5,   7.5, 10,
                                  20,   40,   80,  160, 640, 2560};
  return buckets;
}

const Buckets& TokenGapBuckets() {
  static const Buckets buckets = {.002, .004, .006, .008, .01, .015, .02, .025,
                                  .03,  .035, .04,  .06,  .08, .1,   .2,  .4,
                                  .6,   .8,   1,    2,    4,   6,    8};
  return buckets;
}

const Buckets& RequestBuckets() {
  static const Buckets buckets = {.3, .5,  .8,  1,   1.5, 2,    2.5,
                                  5,  10,  15,  20,  30,  40,   50,
                                  60, 120, 240, 480, 960, 1920, 7680};
  return buckets;
}

}  // namespace

struct GatewayMetrics::State {
  explicit State(prometheus::Registry& registry)
      : requests(prometheus::BuildCounter()
                     .Name("mesh_requests_total")
                     .Help("Requests that have ended, by how.")
                     .Register(registry)),
        migrations(prometheus::BuildCounter()
                       .Name("mesh_stream_migrations_total")
                       .Help("Streams given to an attention node again, by why "
                             "the one before did not finish them.")
                       .Register(registry)),
        duration(prometheus::BuildHistogram()
                     .Name("mesh_request_duration_seconds")
                     .Help("From a request to the end of its answer.")
                     .Register(registry)
                     .Add({}, RequestBuckets())),
        first_token(prometheus::BuildHistogram()
                        .Name("mesh_time_to_first_token_seconds")
                        .Help("From a request to the first token of its "
                              "answer.")
                        .Register(registry)
                        .Add({}, FirstTokenBuckets())),
        token_gap(prometheus::BuildHistogram()
                      .Name("mesh_inter_token_latency_seconds")
                      .Help("Between two tokens of an answer.")
                      .Register(registry)
                      .Add({}, TokenGapBuckets())),
        prompt_tokens(prometheus::BuildCounter()
                          .Name("mesh_prompt_tokens_total")
                          .Help("Prompt tokens of ended requests.")
                          .Register(registry)
                          .Add({})),
        completion_tokens(prometheus::BuildCounter()
                              .Name("mesh_completion_tokens_total")
                              .Help("Emitted tokens of ended requests.")
                              .Register(registry)),
        reasoning(completion_tokens.Add({{"kind", "reasoning"}})),
        answer(completion_tokens.Add({{"kind", "answer"}})),
        requests_running(prometheus::BuildGauge()
                             .Name("mesh_requests_running")
                             .Help("Requests under way.")
                             .Register(registry)
                             .Add({})),
        streams_open(prometheus::BuildGauge()
                         .Name("mesh_streams_open")
                         .Help("Token streams under way.")
                         .Register(registry)
                         .Add({})),
        attention_nodes(prometheus::BuildGauge()
                            .Name("mesh_gateway_attention_nodes")
                            .Help("Attention nodes that are connected.")
                            .Register(registry)
                            .Add({})) {}

  prometheus::Family<prometheus::Counter>& requests;
  prometheus::Family<prometheus::Counter>& migrations;
  prometheus::Histogram& duration;
  prometheus::Histogram& first_token;
  prometheus::Histogram& token_gap;
  prometheus::Counter& prompt_tokens;
  prometheus::Family<prometheus::Counter>& completion_tokens;
  prometheus::Counter& reasoning;
  prometheus::Counter& answer;
  prometheus::Gauge& requests_running;
  prometheus::Gauge& streams_open;
  prometheus::Gauge& attention_nodes;
};

GatewayMetrics::GatewayMetrics(prometheus::Registry& registry)
    : state_(std::make_unique<State>(registry)) {}

GatewayMetrics::~GatewayMetrics() = default;

void GatewayMetrics::CountRequest(absl::string_view api,
                                  const RequestRecord& record) {
  state_->requests.Add({{"api", std::string(api)}, {"outcome", record.outcome}})
      .Increment();
  state_->duration.Observe(absl::ToDoubleSeconds(record.duration));
  state_->prompt_tokens.Increment(record.num_prompt_tokens);
  state_->reasoning.Increment(record.num_reasoning_tokens);
  state_->answer.Increment(record.num_completion_tokens -
                           record.num_reasoning_tokens);
}

void GatewayMetrics::ObserveFirstToken(absl::Duration since_request) {
  state_->first_token.Observe(absl::ToDoubleSeconds(since_request));
}

void GatewayMetrics::ObserveTokenGap(absl::Duration gap) {
  state_->token_gap.Observe(absl::ToDoubleSeconds(gap));
}

void GatewayMetrics::CountMigration(absl::string_view reason) {
  state_->migrations.Add({{"reason", std::string(reason)}}).Increment();
}

void GatewayMetrics::SetGauges(int num_requests, int num_streams,
                               int num_attention_nodes) {
  state_->requests_running.Set(num_requests);
  state_->streams_open.Set(num_streams);
  state_->attention_nodes.Set(num_attention_nodes);
}

}  // namespace mesh::gateway
