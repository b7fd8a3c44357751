// SPDX-License-Identifier: Apache-2.0
#include "service/grpc_status.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/status_matchers.h"

namespace mesh::service {
namespace {

TEST(GrpcStatus, EveryCodeSurvivesBothWays) {
  for (int code = 0; code <= 16; ++code) {
    const absl::Status status(static_cast<absl::StatusCode>(code), "text");
    EXPECT_EQ(ToGrpc(status).error_code(), code);
    EXPECT_EQ(FromGrpc(ToGrpc(status)), status);
  }
}

TEST(GrpcStatus, UnknownCodesAreUnknown) {
  const grpc::Status status(static_cast<grpc::StatusCode>(20), "text");
  EXPECT_THAT(FromGrpc(status), StatusIs(absl::StatusCode::kUnknown, "text"));
}

TEST(GrpcStatus, LongMessagesAreCut) {
  const grpc::Status status =
      ToGrpc(absl::InternalError(std::string(100000, 'x')));
  EXPECT_EQ(status.error_message().size(), 4096U);
}

}  // namespace
}  // namespace mesh::service
