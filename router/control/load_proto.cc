// SPDX-License-Identifier: Apache-2.0
#include "router/control/load_proto.h"

namespace mesh::router {
namespace {

v1::LoadWindow ToProto(LoadSpan span) {
  switch (span) {
    case LoadSpan::kSecond:
      return v1::LOAD_WINDOW_1S;
    case LoadSpan::kTenSeconds:
      return v1::LOAD_WINDOW_10S;
    case LoadSpan::kFiveMinutes:
      return v1::LOAD_WINDOW_5M;
    case LoadSpan::kTotal:
      break;
  }
  return v1::LOAD_WINDOW_TOTAL;
}

}  // namespace

absl::StatusOr<LoadSpan> FromProto(v1::LoadWindow window) {
  switch (window) {
    case v1::LOAD_WINDOW_1S:
      return LoadSpan::kSecond;
    case v1::LOAD_WINDOW_10S:
      return LoadSpan::kTenSeconds;
    case v1::LOAD_WINDOW_5M:
      return LoadSpan::kFiveMinutes;
    case v1::LOAD_WINDOW_TOTAL:
      return LoadSpan::kTotal;
    default:
      return absl::InvalidArgumentError(
          "window: expected 1 s, 10 s, 5 min or total");
  }
}

v1::ExpertLoadTable ToProto(const LoadMonitor::Table& table) {
  v1::ExpertLoadTable proto;
  proto.set_window(ToProto(table.span));
  proto.set_covered_seconds(absl::ToDoubleSeconds(table.covered));
  for (const LoadMonitor::Layer& layer : table.layers) {
    v1::LayerLoad& out = *proto.add_layers();
    out.set_layer(layer.layer.value);
    out.mutable_tokens()->Assign(layer.tokens.begin(), layer.tokens.end());
    out.set_imbalance(layer.imbalance);
    out.mutable_proposed_bias()->Assign(layer.proposed_bias.begin(),
                                        layer.proposed_bias.end());
  }
  return proto;
}

}  // namespace mesh::router
