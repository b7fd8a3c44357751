// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <prometheus/collectable.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/metric_family.h>
#include <prometheus/registry.h>

#include <functional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "expert-node/expert_stats.h"

namespace mesh::expert {

// What an expert node exports. Counts are read from their owners at each
// scrape. Thread-safe.
class ExpertMetrics final : public prometheus::Collectable {
 public:
  // `registry` outlives all calls but Collect(). `transport` is the data
  // plane's kind; `read` is called by Collect().
  ExpertMetrics(prometheus::Registry& registry, std::string transport,
                std::function<ExpertStats()> read);

  // A merged batch of `num_rows` (row, expert) pairs.
  void ObserveBatch(int num_rows, absl::Duration taken);
  // An order that loaded something.
  void ObserveLoad(absl::Duration taken);

  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const std::string transport_;
  const std::function<ExpertStats()> read_;
  prometheus::Histogram& compute_seconds_;
  prometheus::Histogram& batch_rows_;
  prometheus::Gauge& load_seconds_;
};

}  // namespace mesh::expert
