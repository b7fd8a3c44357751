// SPDX-License-Identifier: Apache-2.0
#include "cli/status_json.h"

#include "cli/status_table.h"
#include "core/json.h"

namespace mesh::cli {
namespace {

Json NodeJson(const NodeView& node) {
  Json json = {
      {"name", node.name},
      {"role", node.role},
      {"health", std::string(HealthText(node.health))},
      {"activity", node.activity},
      {"grpc_address", node.grpc_address},
      {"metrics_address", node.metrics_address},
      {"version", node.version},
      {"node_id", node.node_id},
      {"heartbeat_age_seconds", node.heartbeat_age_seconds},
      {"rss_bytes", node.rss_bytes},
      {"adopted_epoch", node.adopted_epoch},
  };
  if (node.role == "gateway") return json;
  json["lane"] = node.lane;
  json["data_plane_bytes_sent"] = node.bytes_sent;
  json["data_plane_bytes_received"] = node.bytes_received;
  if (node.role == "expert-node") {
    json["experts_placed"] = node.experts_placed;
    json["experts_held"] = node.experts_held;
    json["experts_capacity"] = node.experts_capacity;
    json["weight_bytes"] = node.weight_bytes;
    json["rows_computed_total"] = node.rows_computed;
    json["frames_answered_total"] = node.frames_answered;
  } else {
    json["streams_running"] = node.streams_running;
    json["streams_waiting"] = node.streams_waiting;
    json["kv_blocks_total"] = node.kv_blocks_total;
    json["kv_blocks_free"] = node.kv_blocks_free;
    json["emitted_tokens_total"] = node.emitted_tokens;
    json["steps_total"] = node.steps;
  }
  return json;
}

Json LoadJson(const LoadView& load) {
  Json layers = Json::array();
  for (const LayerLoadView& layer : load.layers) {
    layers.push_back({{"layer", layer.layer},
                      {"imbalance", layer.imbalance},
                      {"rows", layer.rows}});
  }
  return {{"window", load.window},
          {"covered_seconds", load.covered_seconds},
          {"layers", layers}};
}

}  // namespace

std::string StatusJson(const MeshState& state, bool one_line) {
  Json nodes = Json::array();
  for (const NodeView& node : state.nodes) nodes.push_back(NodeJson(node));
  Json json = {
      {"model_digest", state.model_digest},
      {"numerics", state.numerics},
      {"router",
       {{"address", state.router_address},
        {"metrics_address", state.router_metrics_address},
        {"version", state.router_version}}},
      {"term", state.term},
      {"active_epoch", state.active_epoch},
      {"activity", state.activity},
      {"nodes", nodes},
  };
  if (!state.load.empty()) {
    json["load"] = Json::array();
    for (const LoadView& load : state.load) {
      json["load"].push_back(LoadJson(load));
    }
  }
  // Names come from others and may not be UTF-8.
  return json.dump(one_line ? -1 : 2, ' ', false,
                   Json::error_handler_t::replace) +
         "\n";
}

}  // namespace mesh::cli
