// SPDX-License-Identifier: Apache-2.0
#include "service/process_metrics.h"

#include "service/process_stats.h"

namespace mesh::service {
namespace {

prometheus::MetricFamily Gauge(const char* name, const char* help,
                               double value) {
  prometheus::ClientMetric metric;
  metric.gauge.value = value;
  return {name, help, prometheus::MetricType::Gauge, {metric}};
}

prometheus::MetricFamily Counter(const char* name, const char* help,
                                 double value) {
  prometheus::ClientMetric metric;
  metric.counter.value = value;
  return {name, help, prometheus::MetricType::Counter, {metric}};
}

}  // namespace

std::vector<prometheus::MetricFamily> ProcessMetrics::Collect() const {
  const ProcessStats stats = ReadProcessStats();
  return {
      Gauge("mesh_process_resident_memory_bytes", "Memory in use.",
            static_cast<double>(stats.rss_bytes)),
      Gauge("mesh_process_open_fds", "Open file descriptors.", stats.num_fds),
      Counter("mesh_process_cpu_seconds_total", "User and system time.",
              stats.cpu_seconds)};
}

}  // namespace mesh::service
