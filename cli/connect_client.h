// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cli/mesh_target.h"

namespace grpc {
class Channel;
}  // namespace grpc

namespace mesh::cli {

// A channel that is connected. Errors: kUnavailable if nothing answers there,
// at once where the connection is refused, else after `limit`; those of
// service::MakeChannel.
absl::StatusOr<std::shared_ptr<grpc::Channel>> Connect(const MeshTarget& target,
                                                       absl::Duration limit);

}  // namespace mesh::cli
