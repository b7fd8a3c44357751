// SPDX-License-Identifier: Apache-2.0
#include "gateway/gateway_metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <vector>

#include "gateway/metric_buckets.h"
#include "service/follow_metrics.h"

namespace mesh::gateway {
namespace {

using Buckets = std::vector<double>;
using Labels = prometheus::Labels;
using CounterFamily = prometheus::Family<prometheus::Counter>;

CounterFamily& Counters(prometheus::Registry& registry, const char* name,
                        const char* help, const Labels& labels = {}) {
  return prometheus::BuildCounter()
      .Name(name)
      .Help(help)
      .Labels(labels)
      .Register(registry);
}

prometheus::Gauge& Gauge(prometheus::Registry& registry, const char* name,
                         const char* help, const Labels& labels = {}) {
  return prometheus::BuildGauge()
      .Name(name)
      .Help(help)
      .Labels(labels)
      .Register(registry)
      .Add({});
}

prometheus::Histogram& Histogram(prometheus::Registry& registry,
                                 const char* name, const char* help,
                                 const Labels& labels, const Buckets& buckets) {
  return prometheus::BuildHistogram()
      .Name(name)
      .Help(help)
      .Labels(labels)
      .Register(registry)
      .Add({}, buckets);
}

}  // namespace

struct GatewayMetrics::State {
  State(prometheus::Registry& registry, const Labels& of_model)
      : requests(Counters(registry, "mesh_requests_total",
                          "Requests that have ended, by how.", of_model)),
        shed(Counters(registry, "mesh_requests_shed_total",
                      "Requests that were refused before they ran, by why.",
                      of_model)),
        migrations(Counters(
            registry, "mesh_stream_migrations_total",
            "Streams given to an attention node again, by why the one before "
            "did not finish them.",
            of_model)),
        connections(Counters(
            registry, "mesh_gateway_connections_total",
            "Connections that clients opened and requests cut short, by "
            "port and what became of them.")),
        responses(Counters(registry, "mesh_gateway_responses_total",
                           "Answers to requests of any kind, by port, route "
                           "and status code.")),
        idempotent(Counters(registry, "mesh_idempotent_requests_total",
                            "Requests with an Idempotency-Key, by what became "
                            "of them.")),
        duration(Histogram(registry, "mesh_request_duration_seconds",
                           "From a request to the end of its answer.", of_model,
                           RequestBuckets())),
        queue(Histogram(registry, "mesh_request_queue_seconds",
                        "From a request until it may run.", of_model,
                        FirstTokenBuckets())),
        first_token(
            Histogram(registry, "mesh_time_to_first_token_seconds",
                      "From a request to the first token of its answer.",
                      of_model, FirstTokenBuckets())),
        token_gap(Histogram(registry, "mesh_inter_token_latency_seconds",
                            "Between two tokens of an answer.", of_model,
                            TokenGapBuckets())),
        prompt_size(Histogram(registry, "mesh_request_prompt_tokens",
                              "Prompt tokens of a request.", of_model,
                              TokenCountBuckets())),
        completion_size(Histogram(registry, "mesh_request_completion_tokens",
                                  "Emitted tokens of a request.", of_model,
                                  TokenCountBuckets())),
        tokenizing(Histogram(registry, "mesh_tokenizer_seconds",
                             "To turn a request into token ids.", of_model,
                             TokenizingBuckets())),
        prompt_tokens(Counters(registry, "mesh_prompt_tokens_total",
                               "Prompt tokens of ended requests.", of_model)),
        computed(prompt_tokens.Add({{"source", "computed"}})),
        cached(prompt_tokens.Add({{"source", "cached"}})),
        completion_tokens(Counters(registry, "mesh_completion_tokens_total",
                                   "Emitted tokens of ended requests.",
                                   of_model)),
        reasoning(completion_tokens.Add({{"kind", "reasoning"}})),
        answer(completion_tokens.Add({{"kind", "answer"}})),
        requests_running(Gauge(registry, "mesh_requests_running",
                               "Requests under way, waiting ones included.",
                               of_model)),
        requests_waiting(Gauge(registry, "mesh_requests_waiting",
                               "Requests that wait for their turn.", of_model)),
        streams_open(Gauge(registry, "mesh_streams_open",
                           "Token streams under way.", of_model)),
        stream_capacity(Gauge(registry, "mesh_stream_capacity",
                              "Token streams that may run at the same time.",
                              of_model)),
        attention_nodes(Gauge(registry, "mesh_gateway_attention_nodes",
                              "Attention nodes that are connected.")) {}

  CounterFamily& requests;
  CounterFamily& shed;
  CounterFamily& migrations;
  CounterFamily& connections;
  CounterFamily& responses;
  CounterFamily& idempotent;
  prometheus::Histogram& duration;
  prometheus::Histogram& queue;
  prometheus::Histogram& first_token;
  prometheus::Histogram& token_gap;
  prometheus::Histogram& prompt_size;
  prometheus::Histogram& completion_size;
  prometheus::Histogram& tokenizing;
  CounterFamily& prompt_tokens;
  prometheus::Counter& computed;
  prometheus::Counter& cached;
  CounterFamily& completion_tokens;
  prometheus::Counter& reasoning;
  prometheus::Counter& answer;
  prometheus::Gauge& requests_running;
  prometheus::Gauge& requests_waiting;
  prometheus::Gauge& streams_open;
  prometheus::Gauge& stream_capacity;
  prometheus::Gauge& attention_nodes;
};

GatewayMetrics::GatewayMetrics(prometheus::Registry& registry,
                               const std::string& model, bool as_vllm)
    : state_(std::make_unique<State>(registry, Labels{{"model", model}})),
      vllm_(as_vllm ? std::make_unique<VllmMetrics>(registry, model)
                    : nullptr) {}

GatewayMetrics::~GatewayMetrics() = default;

void GatewayMetrics::CountRequest(absl::string_view api,
                                  const RequestRecord& record) {
  state_->requests.Add({{"api", std::string(api)}, {"outcome", record.outcome}})
      .Increment();
  state_->duration.Observe(absl::ToDoubleSeconds(record.duration));
  state_->prompt_size.Observe(record.num_prompt_tokens);
  state_->completion_size.Observe(record.num_completion_tokens);
  state_->computed.Increment(record.num_prompt_tokens -
                             record.num_cached_tokens);
  state_->cached.Increment(record.num_cached_tokens);
  state_->reasoning.Increment(record.num_reasoning_tokens);
  state_->answer.Increment(record.num_completion_tokens -
                           record.num_reasoning_tokens);
  if (vllm_ == nullptr) return;
  vllm_->CountRequest(record);
}

void GatewayMetrics::CountResponse(absl::string_view port,
                                   absl::string_view route,
                                   absl::string_view code) {
  state_->responses
      .Add({{"port", std::string(port)},
            {"route", std::string(route)},
            {"code", std::string(code)}})
      .Increment();
}

void GatewayMetrics::ObserveQueueTime(absl::Duration waited) {
  state_->queue.Observe(absl::ToDoubleSeconds(waited));
}

void GatewayMetrics::ObserveFirstToken(absl::Duration since_request) {
  state_->first_token.Observe(absl::ToDoubleSeconds(since_request));
  if (vllm_ != nullptr) vllm_->ObserveFirstToken(since_request);
}

void GatewayMetrics::ObserveTokenGap(absl::Duration gap) {
  state_->token_gap.Observe(absl::ToDoubleSeconds(gap));
  if (vllm_ != nullptr) vllm_->ObserveTokenGap(gap);
}

void GatewayMetrics::ObserveTokenizing(absl::Duration time) {
  state_->tokenizing.Observe(absl::ToDoubleSeconds(time));
}

void GatewayMetrics::CountMigration(absl::string_view reason) {
  state_->migrations.Add({{"reason", std::string(reason)}}).Increment();
}

void GatewayMetrics::SetGauges(const GatewayGauges& gauges) {
  state_->requests_running.Set(gauges.requests_running);
  state_->requests_waiting.Set(gauges.requests_waiting);
  state_->streams_open.Set(gauges.streams_open);
  state_->stream_capacity.Set(gauges.stream_capacity);
  state_->attention_nodes.Set(gauges.attention_nodes);
  if (vllm_ == nullptr) return;
  vllm_->SetGauges(gauges.requests_running - gauges.requests_waiting,
                   gauges.requests_waiting, gauges.kv_usage);
}

void GatewayMetrics::SetShed(absl::string_view reason, uint64_t total) {
  service::Follow(total, state_->shed.Add({{"reason", std::string(reason)}}));
}

void GatewayMetrics::SetConnections(absl::string_view port,
                                    absl::string_view what, uint64_t total) {
  service::Follow(
      total, state_->connections.Add(
                 {{"port", std::string(port)}, {"what", std::string(what)}}));
}

void GatewayMetrics::SetIdempotent(absl::string_view what, uint64_t total) {
  service::Follow(total, state_->idempotent.Add({{"what", std::string(what)}}));
}

}  // namespace mesh::gateway
