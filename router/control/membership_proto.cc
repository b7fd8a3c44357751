// SPDX-License-Identifier: Apache-2.0
#include "router/control/membership_proto.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/status_macros.h"
#include "router/placement/placement_proto.h"
#include "service/handshake_proto.h"
#include "service/host_port.h"

namespace mesh::router {
namespace {

constexpr size_t kMaxName = 64;
constexpr size_t kMaxText = 256;
constexpr int kMaxLayers = 4096;
constexpr uint32_t kMaxExperts = 65535;

absl::Status Invalid(absl::string_view field, absl::string_view problem) {
  return absl::InvalidArgumentError(absl::StrCat(field, ": ", problem));
}

bool IsNameCharacter(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' ||
         c == '_' || c == '.';
}

absl::StatusOr<service::Role> FromProto(common::v1::Role role) {
  switch (role) {
    case common::v1::ROLE_GATEWAY:
      return service::Role::kGateway;
    case common::v1::ROLE_ATTENTION:
      return service::Role::kAttention;
    case common::v1::ROLE_EXPERT:
      return service::Role::kExpert;
    default:
      return Invalid("node.role", "expected gateway, attention or expert");
  }
}

common::v1::Role ToProto(service::Role role) {
  switch (role) {
    case service::Role::kGateway:
      return common::v1::ROLE_GATEWAY;
    case service::Role::kAttention:
      return common::v1::ROLE_ATTENTION;
    case service::Role::kExpert:
      return common::v1::ROLE_EXPERT;
    case service::Role::kRouter:
      return common::v1::ROLE_ROUTER;
    case service::Role::kOperator:
      break;
  }
  return common::v1::ROLE_UNSPECIFIED;
}

absl::StatusOr<NodeIdentity> FromProto(const common::v1::NodeInfo& proto) {
  if (proto.name().empty() || proto.name().size() > kMaxName ||
      !std::all_of(proto.name().begin(), proto.name().end(), IsNameCharacter)) {
    return Invalid("node.name",
                   "expected 1 to 64 letters, digits, '-', '_' or '.'");
  }
  if (proto.grpc_address().size() > kMaxText ||
      !service::ParseHostPort(proto.grpc_address()).ok()) {
    return Invalid("node.grpc_address", "expected host:port");
  }
  if (proto.metrics_address().size() > kMaxText ||
      (!proto.metrics_address().empty() &&
       !service::ParseHostPort(proto.metrics_address()).ok())) {
    return Invalid("node.metrics_address", "expected host:port or nothing");
  }
  if (proto.version().size() > kMaxName) {
    return Invalid("node.version", "expected at most 64 bytes");
  }
  ASSIGN_OR_RETURN(const service::Role role, FromProto(proto.role()));
  return NodeIdentity{.name = proto.name(),
                      .role = role,
                      .incarnation = proto.incarnation(),
                      .grpc_address = proto.grpc_address(),
                      .metrics_address = proto.metrics_address(),
                      .version = proto.version(),
                      .id = NodeId{proto.node_id()}};
}

absl::StatusOr<ExpertKey> MakeKey(uint32_t layer, uint32_t expert,
                                  absl::string_view field) {
  if (layer >= kMaxExperts || expert >= kMaxExperts) {
    return Invalid(field, absl::StrFormat("there is no expert %d of layer %d",
                                          expert, layer));
  }
  return ExpertKey{LayerId{static_cast<uint16_t>(layer)},
                   ExpertId{static_cast<uint16_t>(expert)}};
}

template <typename Holdings>
absl::StatusOr<std::vector<Holding>> HoldingsFromProto(const Holdings& proto) {
  std::vector<Holding> holdings;
  holdings.reserve(static_cast<size_t>(proto.size()));
  for (const common::v1::Holding& holding : proto) {
    ASSIGN_OR_RETURN(
        const ExpertKey key,
        MakeKey(holding.key().layer(), holding.key().expert(), "holdings"));
    const auto digest = service::ParseDigestBytes(holding.digest());
    if (!digest.ok()) return Invalid("holdings", digest.status().message());
    holdings.push_back({.key = key, .digest = *digest});
  }
  return holdings;
}

absl::StatusOr<ModelShape> FromProto(const v1::ModelShape& proto) {
  ModelShape shape;
  if (proto.moe_layers_size() < 1 || proto.moe_layers_size() > kMaxLayers) {
    return Invalid("model.moe_layers", "expected 1 to 4096 layers");
  }
  for (const uint32_t layer : proto.moe_layers()) {
    if (layer >= kMaxExperts ||
        (!shape.moe_layers.empty() && layer <= shape.moe_layers.back().value)) {
      return Invalid("model.moe_layers", "expected ascending layers");
    }
    shape.moe_layers.push_back(LayerId{static_cast<uint16_t>(layer)});
  }
  if (proto.num_experts() < 1 || proto.num_experts() >= kMaxExperts) {
    return Invalid("model.num_experts", "expected 1 to 65534");
  }
  if (proto.num_groups() < 1 || proto.num_experts() % proto.num_groups() != 0) {
    return Invalid("model.num_groups", "expected a divisor of num_experts");
  }
  // Bounds what the router allocates for a model.
  if (uint64_t{proto.num_experts()} *
          static_cast<uint64_t>(proto.moe_layers_size()) >
      1U << 20) {
    return Invalid("model", "expected at most 1048576 experts in all");
  }
  shape.num_experts = static_cast<int>(proto.num_experts());
  shape.num_groups = static_cast<int>(proto.num_groups());
  shape.expert_bytes = proto.expert_bytes();
  return shape;
}

absl::StatusOr<ReachablePlacement> TableFromProto(const v1::Placement& proto) {
  ASSIGN_OR_RETURN(const PlacementTable table, router::FromProto(proto));
  ReachablePlacement reachable{.placement = table.placement, .nodes = {}};
  for (const common::v1::NodeInfo& node : table.nodes) {
    ASSIGN_OR_RETURN(NodeIdentity identity, FromProto(node));
    reachable.nodes.push_back(std::move(identity));
  }
  return reachable;
}

// What each role must tell.
absl::Status CheckRole(const Hello& hello, const v1::JoinHello& proto) {
  if (hello.node.role == service::Role::kGateway) return absl::OkStatus();
  if (!hello.model.has_value()) return Invalid("model", "expected a shape");
  if (!hello.model_digest.has_value() || hello.numerics_class.empty()) {
    return Invalid("handshake", "expected a model digest and numerics class");
  }
  if (hello.node.role == service::Role::kExpert) return absl::OkStatus();
  if (proto.holdings_size() > 0 || proto.capacity_experts() > 0) {
    return Invalid("holdings", "only expert nodes have them");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Hello> FromProto(const v1::JoinHello& proto) {
  Hello hello;
  ASSIGN_OR_RETURN(hello.node, FromProto(proto.node()));
  RETURN_IF_ERROR(service::CheckHandshake(service::MakeHandshake(),
                                          proto.handshake(), hello.node.name));
  if (!proto.handshake().model_digest().empty()) {
    ASSIGN_OR_RETURN(hello.model_digest, service::ParseDigestBytes(
                                             proto.handshake().model_digest()));
  }
  if (proto.handshake().numerics_class().size() > kMaxName) {
    return Invalid("handshake.numerics_class", "expected at most 64 bytes");
  }
  hello.numerics_class = proto.handshake().numerics_class();
  if (proto.has_model()) {
    ASSIGN_OR_RETURN(hello.model, FromProto(proto.model()));
  }
  ASSIGN_OR_RETURN(hello.holdings, HoldingsFromProto(proto.holdings()));
  hello.capacity_experts = proto.capacity_experts();
  if (proto.has_placement()) {
    ASSIGN_OR_RETURN(hello.placement, TableFromProto(proto.placement()));
  }
  hello.seen_term = proto.seen_term();
  RETURN_IF_ERROR(CheckRole(hello, proto));
  return hello;
}

absl::StatusOr<HoldingsReport> FromProto(const v1::HoldingsReport& proto) {
  HoldingsReport report{.order_epoch = proto.order_epoch(),
                        .phase = proto.phase() == v1::HOSTING_PHASE_RETIRE
                                     ? HostingPhase::kRetire
                                     : HostingPhase::kLoad,
                        .holdings = {},
                        .error = proto.error().substr(0, kMaxText)};
  ASSIGN_OR_RETURN(report.holdings, HoldingsFromProto(proto.holdings()));
  return report;
}

absl::StatusOr<std::vector<ExpertTokens>> FromProto(
    const v1::LoadReport& proto) {
  std::vector<ExpertTokens> experts;
  for (const v1::ExpertLoad& load : proto.experts()) {
    ASSIGN_OR_RETURN(const ExpertKey key,
                     MakeKey(load.layer(), load.expert(), "load"));
    experts.push_back({.key = key, .tokens_total = load.tokens_total()});
  }
  return experts;
}

MemberStatus FromProto(const v1::NodeStatus& proto) {
  return {.ready = proto.ready(),
          .draining = proto.draining(),
          .activity = proto.activity().substr(0, kMaxText),
          .experts_held = proto.expert().experts_held()};
}

common::v1::NodeInfo ToProto(const NodeIdentity& node) {
  common::v1::NodeInfo proto;
  proto.set_name(node.name);
  proto.set_role(ToProto(node.role));
  proto.set_incarnation(node.incarnation);
  proto.set_grpc_address(node.grpc_address);
  proto.set_metrics_address(node.metrics_address);
  proto.set_version(node.version);
  proto.set_node_id(node.id.value);
  return proto;
}

v1::Placement ToProto(const ReachablePlacement& table) {
  std::vector<common::v1::NodeInfo> nodes;
  for (const NodeIdentity& node : table.nodes) nodes.push_back(ToProto(node));
  return ToProto(*table.placement, nodes);
}

v1::HostingOrder ToProto(const HostingOrder& order) {
  v1::HostingOrder proto;
  proto.set_epoch(order.epoch);
  proto.set_phase(order.phase == HostingPhase::kLoad
                      ? v1::HOSTING_PHASE_LOAD
                      : v1::HOSTING_PHASE_RETIRE);
  for (const ExpertKey& key : order.experts) {
    common::v1::ExpertKey& expert = *proto.add_experts();
    expert.set_layer(key.layer.value);
    expert.set_expert(key.expert.value);
  }
  return proto;
}

v1::AttentionNodes ToProto(const std::vector<NodeIdentity>& nodes) {
  v1::AttentionNodes proto;
  for (const NodeIdentity& node : nodes) *proto.add_nodes() = ToProto(node);
  return proto;
}

}  // namespace mesh::router
