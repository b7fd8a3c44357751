// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace prometheus {
class Registry;
}  // namespace prometheus

namespace mesh::gateway {

// What a finished request counts for.
struct RequestRecord {
  std::string outcome;  // "stop", "length", "cancelled" or a status code's name
  absl::Duration duration;
  int num_prompt_tokens = 0;
  int num_completion_tokens = 0;
  int num_reasoning_tokens = 0;  // of the completion tokens
};

// The gateway's metrics. Thread-safe.
class GatewayMetrics {
 public:
  // `registry` outlives the metrics.
  explicit GatewayMetrics(prometheus::Registry& registry);
  ~GatewayMetrics();

  void CountRequest(absl::string_view api, const RequestRecord& record);
  void ObserveFirstToken(absl::Duration since_request);
  void ObserveTokenGap(absl::Duration gap);
  void CountMigration(absl::string_view reason);
  void SetGauges(int num_requests, int num_streams, int num_attention_nodes);

 private:
  struct State;
  const std::unique_ptr<State> state_;
};

}  // namespace mesh::gateway
