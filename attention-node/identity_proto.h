// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "attention-node/attention_identity.h"
#include "mesh/common/v1/types.pb.h"

namespace mesh::attention {

common::v1::Handshake HandshakeOf(const AttentionIdentity& identity);
common::v1::NodeInfo NodeInfoOf(const AttentionIdentity& identity);

}  // namespace mesh::attention
