// SPDX-License-Identifier: Apache-2.0
#include "cli/connect_client.h"

#include <grpcpp/channel.h>

#include <chrono>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/status_macros.h"

namespace mesh::cli {

absl::StatusOr<std::shared_ptr<grpc::Channel>> Connect(const MeshTarget& target,
                                                       absl::Duration limit) {
  ASSIGN_OR_RETURN(std::shared_ptr<grpc::Channel> channel,
                   service::MakeChannel(target.address, target.channel));
  const auto deadline =
      std::chrono::system_clock::now() + absl::ToChronoMilliseconds(limit);
  while (true) {
    const grpc_connectivity_state state = channel->GetState(true);
    if (state == GRPC_CHANNEL_READY) return channel;
    if (state == GRPC_CHANNEL_TRANSIENT_FAILURE ||
        !channel->WaitForStateChange(state, deadline)) {
      break;
    }
  }
  return absl::UnavailableError(absl::StrCat(
      "nothing answers at ", target.address, "; ",
      target.channel.tls.Enabled()
          ? "check that it runs and that both certificates are of one mesh"
          : "start a mesh with deploy/up, or name another address"));
}

}  // namespace mesh::cli
