// SPDX-License-Identifier: Apache-2.0
#include "service/grpc_status.h"

#include <string>

namespace mesh::service {
namespace {

// A message travels as metadata, of which a peer takes so much.
constexpr size_t kMaxMessageBytes = 4096;
constexpr int kMaxCode = static_cast<int>(absl::StatusCode::kUnauthenticated);

}  // namespace

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  return {static_cast<grpc::StatusCode>(status.raw_code()),
          std::string(status.message().substr(0, kMaxMessageBytes))};
}

absl::Status FromGrpc(const grpc::Status& status) {
  const int code = status.error_code();
  if (code < 0 || code > kMaxCode) {
    return absl::UnknownError(status.error_message());
  }
  return {static_cast<absl::StatusCode>(code), status.error_message()};
}

}  // namespace mesh::service
