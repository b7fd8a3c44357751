// SPDX-License-Identifier: Apache-2.0
#include "service/grpc_log.h"

#include <grpc/support/log.h>
#include <gtest/gtest.h>

#include "core/json.h"
#include "tests/support/status_matchers.h"

namespace mesh::service {
namespace {

using ::testing::internal::CaptureStderr;
using ::testing::internal::GetCapturedStderr;

TEST(GrpcLog, BecomesLinesOfTheLog) {
  const auto logger = Logger::Create("info", "gateway", "gateway-0");
  ASSERT_OK(logger);
  CaptureStderr();
  {
    const GrpcLog log(logger->get());
    gpr_log(GPR_ERROR, "handshake of %d failed", 7);
    gpr_log(GPR_INFO, "chatter");
  }
  gpr_log(GPR_ERROR, "after the end");
  const auto line = ParseJson(GetCapturedStderr(), "log");
  ASSERT_OK(line);
  EXPECT_EQ((*line)["event"], "grpc");
  EXPECT_EQ((*line)["level"], "warning");
  EXPECT_EQ((*line)["message"], "handshake of 7 failed");
}

TEST(GrpcLog, IsDroppedWithoutALogger) {
  CaptureStderr();
  const GrpcLog log(nullptr);
  gpr_log(GPR_ERROR, "x");
  EXPECT_EQ(GetCapturedStderr(), "");
}

}  // namespace
}  // namespace mesh::service
