// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace mesh::gateway {

// An error as a client of gRPC gets it: status and message; ErrorInfo,
// BadRequest and RetryInfo of google.rpc in `grpc-status-details-bin` as far as
// DetailsOf() knows them; and `grpc-retry-pushback-ms`, which gRPC's own
// retries obey. Call it before the call is finished.
grpc::Status ToGrpcError(const absl::Status& status,
                         grpc::CallbackServerContext* context);

}  // namespace mesh::gateway
