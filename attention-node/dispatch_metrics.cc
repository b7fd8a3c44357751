// SPDX-License-Identifier: Apache-2.0
#include "attention-node/dispatch_metrics.h"

#include "service/follow_metrics.h"

namespace mesh::attention {
namespace {

using service::Follow;
using Buckets = prometheus::Histogram::BucketBoundaries;

prometheus::Histogram& AddStage(
    prometheus::Family<prometheus::Histogram>& family, const char* stage) {
  return family.Add({{"stage", stage}},
                    Buckets{0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025,
                            0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5});
}

void ObserveSince(absl::Duration now, absl::Duration before,
                  prometheus::Histogram& histogram) {
  histogram.Observe(absl::ToDoubleSeconds(now - before));
}

// What came since `seen`, which then is as `now`.
void FollowHistogram(const router::AnswerTimes::Histogram& now,
                     router::AnswerTimes::Histogram* seen,
                     prometheus::Histogram& histogram) {
  std::vector<double> increments(now.counts.size());
  for (size_t i = 0; i < increments.size(); ++i) {
    increments[i] = static_cast<double>(now.counts[i] - seen->counts[i]);
  }
  histogram.ObserveMultiple(increments, now.sum - seen->sum);
  *seen = now;
}

}  // namespace

DispatchMetrics::DispatchMetrics(prometheus::Registry& registry)
    : stage_family_(prometheus::BuildHistogram()
                        .Name("mesh_moe_stage_seconds")
                        .Help("Time of a step in its layers with experts, all "
                              "layers together, by stage.")
                        .Register(registry)),
      gate_(AddStage(stage_family_, "gate")),
      dispatch_(AddStage(stage_family_, "dispatch")),
      compute_(AddStage(stage_family_, "compute")),
      combine_(AddStage(stage_family_, "combine")),
      answer_family_(
          prometheus::BuildHistogram()
              .Name("mesh_dispatch_rpc_seconds")
              .Help("From a frame to an expert node until its answer.")
              .Register(registry)),
      bytes_(prometheus::BuildCounter()
                 .Name("mesh_dispatch_bytes_total")
                 .Help("Bytes of frames to and from expert nodes.")
                 .Register(registry)),
      retries_(prometheus::BuildCounter()
                   .Name("mesh_dispatch_retries_total")
                   .Help("Frames whose rows had to be sent again, by reason.")
                   .Register(registry)),
      lane_info_(prometheus::BuildGauge()
                     .Name("mesh_data_plane_lane_info")
                     .Help("1 for the lane that carries the data plane.")
                     .Register(registry)),
      generation_(prometheus::BuildGauge()
                      .Name("mesh_placement_generation")
                      .Help("Epoch of the placement in use.")
                      .Register(registry)
                      .Add({})) {}

void DispatchMetrics::OnStep(absl::Duration gate,
                             const router::DispatchTimes& dispatch) {
  ObserveSince(gate, last_gate_, gate_);
  ObserveSince(dispatch.dispatch, last_dispatch_.dispatch, dispatch_);
  ObserveSince(dispatch.compute, last_dispatch_.compute, compute_);
  ObserveSince(dispatch.combine, last_dispatch_.combine, combine_);
  last_gate_ = gate;
  last_dispatch_ = dispatch;
}

void DispatchMetrics::Update(const ExpertLinks::Snapshot& dispatch,
                             const std::vector<ExpertDialer::PeerState>& peers,
                             const std::string& transport,
                             const std::string& lane) {
  generation_.Set(static_cast<double>(dispatch.epoch));
  UpdateCounters(dispatch.counters, transport);
  UpdateLane(transport, lane);
  UpdateAnswerTimes(dispatch.answer_times, peers);
}

void DispatchMetrics::UpdateCounters(const router::DispatchCounters& counters,
                                     const std::string& transport) {
  const auto bytes = [&](const char* direction) -> prometheus::Counter& {
    return bytes_.Add({{"direction", direction}, {"transport", transport}});
  };
  Follow(counters.bytes_sent, bytes("sent"));
  Follow(counters.bytes_received, bytes("received"));
  const auto retries = [&](const char* reason) -> prometheus::Counter& {
    return retries_.Add({{"reason", reason}});
  };
  Follow(counters.frames_hedged, retries("overdue"));
  Follow(counters.frames_lost, retries("lost"));
  Follow(counters.not_held, retries("not_held"));
}

void DispatchMetrics::UpdateLane(const std::string& transport,
                                 const std::string& lane) {
  if (lane == lane_) return;
  const prometheus::Labels old = {{"transport", transport}, {"lane", lane_}};
  if (!lane_.empty()) lane_info_.Remove(&lane_info_.Add(old));
  lane_ = lane;
  if (!lane_.empty()) {
    lane_info_.Add({{"transport", transport}, {"lane", lane_}}).Set(1);
  }
}

void DispatchMetrics::UpdateAnswerTimes(
    const router::AnswerTimes& times,
    const std::vector<ExpertDialer::PeerState>& peers) {
  // First those that have left: a node that has come back has its old name.
  for (auto it = nodes_.begin(); it != nodes_.end();) {
    if (times.OfNodes().contains(it->first)) {
      ++it;
      continue;
    }
    answer_family_.Remove(it->second.histogram);
    it = nodes_.erase(it);
  }
  for (const ExpertDialer::PeerState& state : peers) {
    const auto found = times.OfNodes().find(state.peer.node);
    if (found == times.OfNodes().end()) continue;
    NodeSeries& series = nodes_[state.peer.node];
    if (series.histogram == nullptr) {
      series.histogram =
          &answer_family_.Add({{"node", state.peer.name}, {"op", "experts"}},
                              Buckets(router::AnswerTimes::kBounds.begin(),
                                      router::AnswerTimes::kBounds.end()));
    }
    FollowHistogram(found->second, &series.seen, *series.histogram);
  }
}

}  // namespace mesh::attention
