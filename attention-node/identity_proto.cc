// SPDX-License-Identifier: Apache-2.0
#include "attention-node/identity_proto.h"

#include <string>

#include "service/handshake_proto.h"
#include "service/version.h"

namespace mesh::attention {

common::v1::Handshake HandshakeOf(const AttentionIdentity& identity) {
  return service::MakeHandshake(identity.model_digest, identity.numerics);
}

common::v1::NodeInfo NodeInfoOf(const AttentionIdentity& identity) {
  common::v1::NodeInfo node;
  node.set_name(identity.name);
  node.set_role(common::v1::ROLE_ATTENTION);
  node.set_incarnation(identity.incarnation);
  node.set_grpc_address(identity.grpc_address);
  node.set_metrics_address(identity.metrics_address);
  node.set_version(std::string(service::Version()));
  return node;
}

}  // namespace mesh::attention
