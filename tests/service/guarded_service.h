// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "mesh/expert/v1/expert_service.grpc.pb.h"
#include "service/grpc_status.h"
#include "service/peer_identity.h"

namespace mesh::service {

// A service of ours with one call, which only attention nodes may make; answers
// with who called.
class GuardedService : public expert::v1::ExpertService::CallbackService {
 public:
  grpc::ServerUnaryReactor* GetStats(grpc::CallbackServerContext* context,
                                     const expert::v1::GetStatsRequest*,
                                     expert::v1::GetStatsResponse*) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    const auto identity = IdentityOf(*context);
    absl::Status status = Authorize(*context, {Role::kAttention});
    if (status.ok()) {
      status = AuthorizeAs(*context, Role::kAttention, "attention-0");
    }
    context->AddTrailingMetadata(
        "caller", identity.has_value() ? identity->name : "nobody");
    reactor->Finish(ToGrpc(status));
    return reactor;
  }
};

inline constexpr char kGuardedService[] = "mesh.expert.v1.ExpertService";
inline constexpr char kGuardedCall[] = "/mesh.expert.v1.ExpertService/GetStats";

}  // namespace mesh::service
