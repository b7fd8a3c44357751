// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "gateway/request_record.h"
#include "gateway/vllm_metrics.h"

namespace prometheus {
class Registry;
}  // namespace prometheus

namespace mesh::gateway {

struct GatewayGauges {
  int requests_running = 0;  // waiting ones included
  int requests_waiting = 0;
  int streams_open = 0;
  int stream_capacity = 0;
  int attention_nodes = 0;
  double kv_usage = 0;  // 0 to 1, of all attention nodes together
};

// The gateway's metrics. Thread-safe.
class GatewayMetrics {
 public:
  // `registry` outlives the metrics; `model` is a label of what is counted by
  // requests. `as_vllm`: the most used ones also under vLLM's names.
  GatewayMetrics(prometheus::Registry& registry, const std::string& model,
                 bool as_vllm);
  ~GatewayMetrics();

  void CountRequest(absl::string_view api, const RequestRecord& record);
  // An answer's beginning over HTTP, the end of one over gRPC: `route` is a
  // path or a method and `code` an HTTP status or a gRPC code's name.
  void CountResponse(absl::string_view port, absl::string_view route,
                     absl::string_view code);
  void ObserveQueueTime(absl::Duration waited);
  void ObserveFirstToken(absl::Duration since_request);
  void ObserveTokenGap(absl::Duration gap);
  void ObserveTokenizing(absl::Duration time);
  void CountMigration(absl::string_view reason);
  void SetGauges(const GatewayGauges& gauges);
  // Totals that others count; each only grows.
  void SetShed(absl::string_view reason, uint64_t total);
  // `port`: "http" or "grpc"; `what`: "accepted", or why it was closed.
  void SetConnections(absl::string_view port, absl::string_view what,
                      uint64_t total);
  // `what`: "recorded", "replayed", "joined" or "mismatch".
  void SetIdempotent(absl::string_view what, uint64_t total);

 private:
  struct State;
  const std::unique_ptr<State> state_;
  const std::unique_ptr<VllmMetrics> vllm_;  // null: not wanted
};

}  // namespace mesh::gateway
