// SPDX-License-Identifier: Apache-2.0
#include "service/exit_code.h"

#include <gtest/gtest.h>

namespace mesh::service {
namespace {

TEST(ExitCode, SaysWhatKindOfError) {
  EXPECT_EQ(ExitCode(absl::OkStatus()), 0);
  EXPECT_EQ(ExitCode(absl::DataLossError("")), 65);
  EXPECT_EQ(ExitCode(absl::NotFoundError("")), 66);
  EXPECT_EQ(ExitCode(absl::UnavailableError("")), 69);
  EXPECT_EQ(ExitCode(absl::InternalError("")), 70);
  EXPECT_EQ(ExitCode(absl::ResourceExhaustedError("")), 75);
  EXPECT_EQ(ExitCode(absl::PermissionDeniedError("")), 77);
  EXPECT_EQ(ExitCode(absl::InvalidArgumentError("")), 78);
  EXPECT_EQ(ExitCode(absl::AlreadyExistsError("")), 78);
  EXPECT_EQ(ExitCode(absl::CancelledError("")), 130);
}

}  // namespace
}  // namespace mesh::service
