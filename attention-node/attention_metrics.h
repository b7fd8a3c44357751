// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include "absl/time/time.h"
#include "attention-node/engine_counters.h"

namespace mesh::attention {

// What an attention node exports of its engine. Each call belongs to one
// thread.
class AttentionMetrics {
 public:
  // `registry` outlives the metrics.
  explicit AttentionMetrics(prometheus::Registry& registry);

  void SetLoadSeconds(double seconds) { load_seconds_.Set(seconds); }
  // Engine thread, after a step that took so long; `engine` is as of then.
  void OnStep(absl::Duration duration, const EngineCounters& engine);
  // Brings everything else up to date; counters may only grow.
  void Update(const EngineCounters& engine);

 private:
  prometheus::Histogram& step_seconds_;
  prometheus::Histogram& prefill_tokens_;
  prometheus::Histogram& decode_tokens_;
  prometheus::Gauge& free_blocks_;
  prometheus::Gauge& cached_blocks_;
  prometheus::Gauge& used_blocks_;
  prometheus::Gauge& cache_usage_;
  prometheus::Counter& preemptions_;
  prometheus::Gauge& running_;
  prometheus::Gauge& waiting_;
  prometheus::Counter& emitted_;
  prometheus::Counter& prefix_queried_;
  prometheus::Counter& prefix_hit_;
  prometheus::Gauge& load_seconds_;
  EngineCounters last_step_;  // engine thread
};

}  // namespace mesh::attention
