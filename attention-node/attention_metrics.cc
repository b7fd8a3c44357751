// SPDX-License-Identifier: Apache-2.0
#include "attention-node/attention_metrics.h"

#include "service/follow_metrics.h"

namespace mesh::attention {
namespace {

using service::Follow;

prometheus::Counter& AddCounter(prometheus::Registry& registry,
                                const char* name, const char* help) {
  return prometheus::BuildCounter()
      .Name(name)
      .Help(help)
      .Register(registry)
      .Add({});
}

prometheus::Gauge& AddGauge(prometheus::Registry& registry, const char* name,
                            const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add(
      {});
}

// Registering a name again gives the same family.
prometheus::Histogram& AddStepTokens(prometheus::Registry& registry,
                                     const char* phase) {
  return prometheus::BuildHistogram()
      .Name("mesh_step_tokens")
      .Help("Rows of a step that has any of the phase.")
      .Register(registry)
      .Add({{"phase", phase}},
           prometheus::Histogram::BucketBoundaries{1, 2, 4, 8, 16, 32, 64, 128,
                                                   256, 512, 1024, 2048});
}

prometheus::Gauge& AddBlocks(prometheus::Registry& registry,
                             const char* state) {
  return prometheus::BuildGauge()
      .Name("mesh_kv_blocks")
      .Help("Blocks of the latent KV cache.")
      .Register(registry)
      .Add({{"state", state}});
}

}  // namespace

AttentionMetrics::AttentionMetrics(prometheus::Registry& registry)
    : step_seconds_(
          prometheus::BuildHistogram()
              .Name("mesh_step_duration_seconds")
              .Help("Time of an engine step with at least one stream.")
              .Register(registry)
              .Add({},
                   prometheus::Histogram::BucketBoundaries{
                       0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
                       1, 2.5, 5, 10, 30})),
      prefill_tokens_(AddStepTokens(registry, "prefill")),
      decode_tokens_(AddStepTokens(registry, "decode")),
      free_blocks_(AddBlocks(registry, "free")),
      cached_blocks_(AddBlocks(registry, "cached")),
      used_blocks_(AddBlocks(registry, "used")),
      cache_usage_(AddGauge(registry, "mesh_kv_cache_usage_ratio",
                            "Share of the latent KV cache in use.")),
      preemptions_(AddCounter(registry, "mesh_preemptions_total",
                              "Streams that gave up their blocks.")),
      running_(AddGauge(registry, "mesh_streams_running",
                        "Streams that hold blocks.")),
      waiting_(AddGauge(registry, "mesh_streams_waiting",
                        "Streams that wait for blocks.")),
      emitted_(AddCounter(registry, "mesh_emitted_tokens_total",
                          "Tokens handed to gateways.")),
      prefix_queried_(AddCounter(registry,
                                 "mesh_prefix_cache_queried_tokens_total",
                                 "Prompt tokens of streams that began.")),
      prefix_hit_(AddCounter(registry, "mesh_prefix_cache_hit_tokens_total",
                             "Of these, found in the prefix cache.")),
      load_seconds_(AddGauge(registry, "mesh_weights_load_seconds",
                             "Time that loading the weights took.")) {}

void AttentionMetrics::OnStep(absl::Duration duration,
                              const EngineCounters& engine) {
  const int64_t prefill = engine.prefill_rows - last_step_.prefill_rows;
  const int64_t decode = engine.decode_rows - last_step_.decode_rows;
  if (engine.steps != last_step_.steps) {
    step_seconds_.Observe(absl::ToDoubleSeconds(duration));
    if (prefill > 0) prefill_tokens_.Observe(static_cast<double>(prefill));
    if (decode > 0) decode_tokens_.Observe(static_cast<double>(decode));
  }
  last_step_ = engine;
}

void AttentionMetrics::Update(const EngineCounters& engine) {
  Follow(engine.preemptions, preemptions_);
  Follow(engine.emitted_tokens, emitted_);
  Follow(engine.prompt_tokens, prefix_queried_);
  Follow(engine.cached_prompt_tokens, prefix_hit_);
  const int used = engine.total_blocks - engine.free_blocks;
  free_blocks_.Set(engine.free_blocks - engine.kept_blocks);
  cached_blocks_.Set(engine.kept_blocks);
  used_blocks_.Set(used);
  cache_usage_.Set(engine.total_blocks == 0
                       ? 0.0
                       : static_cast<double>(used) / engine.total_blocks);
  running_.Set(engine.running);
  waiting_.Set(engine.waiting);
}

}  // namespace mesh::attention
