// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "attention-node/expert_dialer.h"
#include "attention-node/expert_links.h"
#include "router/answer_times.h"
#include "router/dispatcher.h"

namespace mesh::attention {

// What an attention node exports of its work with expert nodes. Each call
// belongs to one thread.
class DispatchMetrics {
 public:
  // `registry` outlives the metrics.
  explicit DispatchMetrics(prometheus::Registry& registry);

  // Engine thread, after a step with a forward pass: what all steps together
  // have spent so far choosing experts, and in the dispatcher.
  void OnStep(absl::Duration gate, const router::DispatchTimes& dispatch);

  // Brings everything else up to date; counters may only grow. `transport` and
  // `lane` carry the data plane, for example "ucx" and "tcp/lo"; `peers` have
  // the names of nodes.
  void Update(const ExpertLinks::Snapshot& dispatch,
              const std::vector<ExpertDialer::PeerState>& peers,
              const std::string& transport, const std::string& lane);

 private:
  struct NodeSeries {
    prometheus::Histogram* histogram = nullptr;
    router::AnswerTimes::Histogram seen;
  };

  void UpdateCounters(const router::DispatchCounters& counters,
                      const std::string& transport);
  void UpdateLane(const std::string& transport, const std::string& lane);
  void UpdateAnswerTimes(const router::AnswerTimes& times,
                         const std::vector<ExpertDialer::PeerState>& peers);

  prometheus::Family<prometheus::Histogram>& stage_family_;
  prometheus::Histogram& gate_;
  prometheus::Histogram& dispatch_;
  prometheus::Histogram& compute_;
  prometheus::Histogram& combine_;
  prometheus::Family<prometheus::Histogram>& answer_family_;
  prometheus::Family<prometheus::Counter>& bytes_;
  prometheus::Family<prometheus::Counter>& retries_;
  prometheus::Family<prometheus::Gauge>& lane_info_;
  prometheus::Gauge& generation_;

  // Engine thread.
  absl::Duration last_gate_;
  router::DispatchTimes last_dispatch_;
  // The other one.
  std::string lane_;
  std::map<NodeId, NodeSeries> nodes_;
};

}  // namespace mesh::attention
