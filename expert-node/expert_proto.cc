// SPDX-License-Identifier: Apache-2.0
#include "expert-node/expert_proto.h"

#include <algorithm>
#include <limits>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "core/dtype.h"
#include "router/transport/wire_layout.h"
#include "service/handshake_proto.h"
#include "service/version.h"

namespace mesh::expert {
namespace {

absl::string_view WireDTypeName(DType dtype) {
  return dtype == DType::kF32 ? "f32" : "bf16";
}

absl::Status Differs(absl::string_view what, absl::string_view theirs,
                     absl::string_view ours) {
  return absl::FailedPreconditionError(absl::StrCat(
      "the caller's frames have ", what, " ", theirs, ", this node's ", ours,
      "; run both with the same model, --kernels and version"));
}

}  // namespace

common::v1::NodeInfo ToNodeInfo(const ExpertIdentity& identity,
                                uint32_t node_id) {
  common::v1::NodeInfo info;
  info.set_name(identity.name);
  info.set_role(common::v1::ROLE_EXPERT);
  info.set_incarnation(identity.incarnation);
  info.set_grpc_address(identity.grpc_address);
  info.set_metrics_address(identity.metrics_address);
  info.set_version(std::string(service::Version()));
  info.set_node_id(node_id);
  return info;
}

common::v1::Handshake ToHandshake(const ExpertIdentity& identity) {
  return service::MakeHandshake(identity.model_digest, identity.numerics);
}

common::v1::Holding ToProto(const ExpertShard::Holding& holding) {
  common::v1::Holding proto;
  proto.mutable_key()->set_layer(holding.key.layer.value);
  proto.mutable_key()->set_expert(holding.key.expert.value);
  proto.set_digest(service::DigestBytes(holding.digest));
  return proto;
}

router::v1::ModelShape ToModelShape(const ExpertIdentity& identity) {
  router::v1::ModelShape shape;
  for (const LayerId layer : identity.hosting.layers) {
    shape.add_moe_layers(layer.value);
  }
  shape.set_num_experts(static_cast<uint32_t>(identity.wire.num_experts));
  shape.set_num_groups(static_cast<uint32_t>(identity.wire.num_groups));
  shape.set_expert_bytes(identity.expert_bytes);
  return shape;
}

router::v1::HoldingsReport ToProto(const HostingReport& report) {
  router::v1::HoldingsReport proto;
  proto.set_order_epoch(report.order_epoch);
  proto.set_phase(report.phase == HostingPhase::kLoad
                      ? router::v1::HOSTING_PHASE_LOAD
                      : router::v1::HOSTING_PHASE_RETIRE);
  for (const ExpertShard::Holding& holding : report.holdings) {
    *proto.add_holdings() = ToProto(holding);
  }
  proto.set_error(std::string(report.status.message()));
  return proto;
}

absl::StatusOr<HostingOrder> FromProto(const router::v1::HostingOrder& proto) {
  HostingOrder order{.epoch = proto.epoch()};
  switch (proto.phase()) {
    case router::v1::HOSTING_PHASE_LOAD:
      order.phase = HostingPhase::kLoad;
      break;
    case router::v1::HOSTING_PHASE_RETIRE:
      order.phase = HostingPhase::kRetire;
      break;
    default:
      return absl::InvalidArgumentError(
          absl::StrFormat("the order has the unknown phase %d", proto.phase()));
  }
  order.experts.reserve(static_cast<size_t>(proto.experts_size()));
  for (const common::v1::ExpertKey& key : proto.experts()) {
    constexpr uint32_t kMaxId = std::numeric_limits<uint16_t>::max();
    if (key.layer() > kMaxId || key.expert() > kMaxId) {
      return absl::InvalidArgumentError(absl::StrFormat(
          "the order names expert %d of layer %d", key.expert(), key.layer()));
    }
    order.experts.push_back({LayerId{static_cast<uint16_t>(key.layer())},
                             ExpertId{static_cast<uint16_t>(key.expert())}});
  }
  return order;
}

v1::WireShape ToWireShape(const router::WireLimits& wire) {
  v1::WireShape shape;
  shape.set_version(router::kFrameVersion);
  shape.set_dtype(std::string(WireDTypeName(wire.dtype)));
  shape.set_hidden_size(static_cast<uint32_t>(wire.hidden_size));
  shape.set_num_layers(static_cast<uint32_t>(wire.num_layers));
  shape.set_num_experts(static_cast<uint32_t>(wire.num_experts));
  shape.set_num_groups(static_cast<uint32_t>(wire.num_groups));
  shape.set_max_frame_bytes(wire.max_frame_bytes);
  return shape;
}

absl::Status CheckWireShape(const v1::WireShape& ours,
                            const v1::WireShape& theirs) {
  if (theirs.dtype() != ours.dtype()) {
    return Differs("rows of", absl::CHexEscape(theirs.dtype().substr(0, 16)),
                   ours.dtype());
  }
  const struct {
    absl::string_view what;
    uint64_t theirs;
    uint64_t ours;
  } numbers[] = {
      {"format version", theirs.version(), ours.version()},
      {"hidden size", theirs.hidden_size(), ours.hidden_size()},
      {"layers", theirs.num_layers(), ours.num_layers()},
      {"experts", theirs.num_experts(), ours.num_experts()},
      {"routing groups", theirs.num_groups(), ours.num_groups()},
      {"bytes at most", theirs.max_frame_bytes(), ours.max_frame_bytes()},
  };
  for (const auto& number : numbers) {
    if (number.theirs != number.ours) {
      return Differs(number.what, absl::StrCat(number.theirs),
                     absl::StrCat(number.ours));
    }
  }
  return absl::OkStatus();
}

v1::GetStatsResponse ToProto(const ExpertStats& stats) {
  const auto count = [](int64_t value) { return static_cast<uint64_t>(value); };
  v1::GetStatsResponse proto;
  proto.set_experts_held(count(stats.num_experts));
  proto.set_frames_answered(count(stats.counters.frames_answered));
  proto.set_rows_computed(count(stats.counters.rows_computed));
  proto.set_frames_not_held(count(stats.counters.not_held));
  proto.set_frames_overloaded(count(stats.counters.overloaded));
  proto.set_frames_expired(count(stats.counters.expired));
  proto.set_frames_corrupt(count(stats.counters.dropped_corrupt));
  proto.set_hellos_rejected(stats.transport.hellos_rejected);
  proto.set_links_open(count(stats.transport.num_links));
  proto.set_lane(stats.transport.lane);
  proto.set_bytes_sent(stats.transport.bytes_sent);
  proto.set_bytes_received(stats.transport.bytes_received);
  proto.set_messages_dropped(stats.transport.messages_dropped);
  return proto;
}

}  // namespace mesh::expert
