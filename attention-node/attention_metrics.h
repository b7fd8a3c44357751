// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "attention-node/engine_counters.h"
#include "attention-node/expert_links.h"

namespace mesh::attention {

// What an attention node exports. Each call belongs to one thread.
class AttentionMetrics {
 public:
  // `registry` outlives the metrics.
  explicit AttentionMetrics(prometheus::Registry& registry);

  void SetLoadSeconds(double seconds) { load_seconds_.Set(seconds); }
  // Engine thread, after a step that took so long; `engine` is as of then.
  void OnStep(absl::Duration duration, const EngineCounters& engine);
  // Brings everything else up to date; counters may only grow. `transport` and
  // `lane` carry the data plane, for example "ucx" and "tcp/lo".
  void Update(const EngineCounters& engine,
              const ExpertLinks::Snapshot& dispatch,
              const std::string& transport, const std::string& lane);

 private:
  void UpdateEngine(const EngineCounters& engine);
  void UpdateDispatch(const router::DispatchCounters& counters,
                      const std::string& transport);

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
  prometheus::Gauge& generation_;
  prometheus::Gauge& load_seconds_;
  prometheus::Family<prometheus::Counter>& dispatch_bytes_;
  prometheus::Family<prometheus::Counter>& dispatch_retries_;
  prometheus::Family<prometheus::Gauge>& lane_info_;
  std::string lane_;
  EngineCounters last_step_;  // engine thread
};

}  // namespace mesh::attention
