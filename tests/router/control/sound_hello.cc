// SPDX-License-Identifier: Apache-2.0
#include "tests/router/control/sound_hello.h"

#include "core/digest.h"
#include "service/handshake_proto.h"

namespace mesh::router {

v1::JoinHello SoundHello(common::v1::Role role, const std::string& name) {
  v1::JoinHello hello;
  common::v1::NodeInfo& node = *hello.mutable_node();
  node.set_name(name);
  node.set_role(role);
  node.set_incarnation(1);
  node.set_grpc_address("127.0.0.1:1");
  *hello.mutable_handshake() = service::MakeHandshake();
  if (role == common::v1::ROLE_GATEWAY) return hello;
  *hello.mutable_handshake() = service::MakeHandshake(Digest{1, 2}, "bf16-1");
  v1::ModelShape& model = *hello.mutable_model();
  for (uint32_t l = 1; l <= kNumLayers; ++l) model.add_moe_layers(l);
  model.set_num_experts(kNumExperts);
  model.set_num_groups(4);
  model.set_expert_bytes(100);
  if (role == common::v1::ROLE_EXPERT) hello.set_capacity_experts(kAllExperts);
  return hello;
}

common::v1::Holding HoldingOf(const ExpertKey& key) {
  common::v1::Holding holding;
  holding.mutable_key()->set_layer(key.layer.value);
  holding.mutable_key()->set_expert(key.expert.value);
  holding.set_digest(
      service::DigestBytes({.high = key.layer.value, .low = key.expert.value}));
  return holding;
}

}  // namespace mesh::router
