// SPDX-License-Identifier: Apache-2.0
#include "expert-node/expert_metrics.h"

#include <cstdint>
#include <utility>

namespace mesh::expert {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

using Labels = std::vector<ClientMetric::Label>;

ClientMetric Count(double value, Labels labels = {}) {
  ClientMetric metric;
  metric.counter.value = value;
  metric.label = std::move(labels);
  return metric;
}

ClientMetric Level(double value, Labels labels = {}) {
  ClientMetric metric;
  metric.gauge.value = value;
  metric.label = std::move(labels);
  return metric;
}

MetricFamily Frames(const ExpertNodeCounters& counters) {
  MetricFamily family{"mesh_expert_frames_total",
                      "Dispatch frames, by what became of them.",
                      MetricType::Counter,
                      {}};
  const std::pair<const char*, int64_t> outcomes[] = {
      {"answered", counters.frames_answered},
      {"not_held", counters.not_held},
      {"overloaded", counters.overloaded},
      {"expired", counters.expired},
      {"corrupt", counters.dropped_corrupt}};
  for (const auto& [outcome, count] : outcomes) {
    family.metric.push_back(
        Count(static_cast<double>(count), {{"outcome", outcome}}));
  }
  return family;
}

MetricFamily Bytes(const router::TransportStats& stats,
                   const std::string& transport) {
  return {"mesh_dispatch_bytes_total",
          "Bytes of the data plane.",
          MetricType::Counter,
          {Count(static_cast<double>(stats.bytes_sent),
                 {{"direction", "sent"}, {"transport", transport}}),
           Count(static_cast<double>(stats.bytes_received),
                 {{"direction", "received"}, {"transport", transport}})}};
}

}  // namespace

ExpertMetrics::ExpertMetrics(prometheus::Registry& registry,
                             std::string transport,
                             std::function<ExpertStats()> read)
    : transport_(std::move(transport)),
      read_(std::move(read)),
      compute_seconds_(prometheus::BuildHistogram()
                           .Name("mesh_expert_compute_seconds")
                           .Help("Time to compute one merged batch.")
                           .Register(registry)
                           .Add({},
                                prometheus::Histogram::BucketBoundaries{
                                    1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2,
                                    3e-2, 0.1, 0.3, 1, 3, 10})),
      batch_rows_(prometheus::BuildHistogram()
                      .Name("mesh_expert_batch_rows")
                      .Help("(row, expert) pairs of one merged batch.")
                      .Register(registry)
                      .Add({},
                           prometheus::Histogram::BucketBoundaries{
                               1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024,
                               4096, 16384})),
      load_seconds_(prometheus::BuildGauge()
                        .Name("mesh_weights_load_seconds")
                        .Help("Time that the latest load of experts took.")
                        .Register(registry)
                        .Add({})) {}

void ExpertMetrics::ObserveBatch(int num_rows, absl::Duration taken) {
  batch_rows_.Observe(num_rows);
  compute_seconds_.Observe(absl::ToDoubleSeconds(taken));
}

void ExpertMetrics::ObserveLoad(absl::Duration taken) {
  load_seconds_.Set(absl::ToDoubleSeconds(taken));
}

std::vector<MetricFamily> ExpertMetrics::Collect() const {
  const ExpertStats stats = read_();
  std::vector<MetricFamily> families = {
      {"mesh_expert_rows_total",
       "(row, expert) pairs computed.",
       MetricType::Counter,
       {Count(static_cast<double>(stats.counters.rows_computed))}},
      Frames(stats.counters),
      {"mesh_expert_weights_bytes",
       "Packed weights in memory.",
       MetricType::Gauge,
       {Level(static_cast<double>(stats.weight_bytes))}},
      {"mesh_experts_held",
       "Routed experts in memory.",
       MetricType::Gauge,
       {Level(stats.num_experts)}},
      Bytes(stats.transport, transport_),
      {"mesh_hellos_rejected_total",
       "Links that could not prove who opened them.",
       MetricType::Counter,
       {Count(static_cast<double>(stats.transport.hellos_rejected))}}};
  if (!stats.transport.lane.empty()) {
    families.push_back({"mesh_data_plane_lane_info",
                        "1 for the lane that carries the data plane.",
                        MetricType::Gauge,
                        {Level(1, {{"lane", stats.transport.lane},
                                   {"transport", transport_}})}});
  }
  return families;
}

}  // namespace mesh::expert
