// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "absl/time/time.h"
#include "gateway/request_record.h"

namespace prometheus {
class Registry;
}  // namespace prometheus

namespace mesh::gateway {

// What vLLM exports under these names, so that endpoint pickers, dashboards
// and scalers made for it work unchanged: type and meaning are vLLM's, the
// label is `model_name`. Thread-safe.
class VllmMetrics {
 public:
  // `registry` outlives the metrics.
  VllmMetrics(prometheus::Registry& registry, const std::string& model);
  ~VllmMetrics();

  void SetGauges(int num_running, int num_waiting, double kv_usage);
  void ObserveFirstToken(absl::Duration since_request);
  void ObserveTokenGap(absl::Duration gap);
  void CountRequest(const RequestRecord& record);

 private:
  struct State;
  const std::unique_ptr<State> state_;
};

}  // namespace mesh::gateway
