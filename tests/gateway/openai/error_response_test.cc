// SPDX-License-Identifier: Apache-2.0
#include "gateway/openai/error_response.h"

#include <gtest/gtest.h>

#include <string>

#include "core/json.h"
#include "gateway/api_error.h"

namespace mesh::gateway {
namespace {

Json ErrorOf(const HttpResponse& response) {
  const auto json = ParseJson(response.body, "body");
  EXPECT_TRUE(json.ok()) << json.status();
  return (*json)["error"];
}

TEST(ErrorResponse, EveryCodeHasItsStatusTypeAndCode) {
  const struct {
    absl::StatusCode status;
    int http_status;
    std::string type;
    std::string code;
    std::string retry;
  } rows[] = {
      {absl::StatusCode::kInvalidArgument, 400, "invalid_request_error",
       "invalid_value", "false"},
      {absl::StatusCode::kOutOfRange, 400, "invalid_request_error",
       "invalid_value", "false"},
      {absl::StatusCode::kFailedPrecondition, 400, "invalid_request_error",
       "invalid_value", "false"},
      {absl::StatusCode::kUnauthenticated, 401, "authentication_error",
       "invalid_api_key", "false"},
      {absl::StatusCode::kPermissionDenied, 403, "permission_error",
       "permission_denied", "false"},
      {absl::StatusCode::kNotFound, 404, "invalid_request_error", "not_found",
       "false"},
      {absl::StatusCode::kAlreadyExists, 409, "invalid_request_error",
       "conflict", "false"},
      {absl::StatusCode::kResourceExhausted, 429, "rate_limit_error",
       "rate_limit_exceeded", "true"},
      {absl::StatusCode::kCancelled, 499, "invalid_request_error", "cancelled",
       "false"},
      {absl::StatusCode::kInternal, 500, "server_error", "internal_error",
       "true"},
      {absl::StatusCode::kDataLoss, 500, "server_error", "internal_error",
       "true"},
      {absl::StatusCode::kUnimplemented, 501, "invalid_request_error",
       "not_implemented", "false"},
      {absl::StatusCode::kUnavailable, 503, "server_error", "unavailable",
       "true"},
      {absl::StatusCode::kDeadlineExceeded, 504, "timeout_error",
       "deadline_exceeded", "false"},
  };
  for (const auto& row : rows) {
    const HttpResponse response =
        ErrorResponse(absl::Status(row.status, "what is \"wrong\""));
    EXPECT_EQ(response.status, row.http_status);
    const Json error = ErrorOf(response);
    EXPECT_EQ(error["type"], row.type);
    EXPECT_EQ(error["code"], row.code);
    EXPECT_TRUE(error["param"].is_null());
    EXPECT_EQ(FindHeader(response.headers, "x-should-retry"), row.retry);
    EXPECT_EQ(FindHeader(response.headers, "content-type"), "application/json");
    EXPECT_EQ(FindHeader(response.headers, "retry-after"), "");
  }
}

TEST(ErrorResponse, DetailsComeFirst) {
  const HttpResponse response = ErrorResponse(ApiError(
      absl::StatusCode::kResourceExhausted, "busy",
      {.code = "overloaded", .retry_after = absl::Milliseconds(1200)}));
  EXPECT_EQ(response.status, 429);
  EXPECT_EQ(ErrorOf(response)["code"], "overloaded");
  EXPECT_EQ(ErrorOf(response)["message"], "busy");
  EXPECT_EQ(FindHeader(response.headers, "Retry-After"), "2");
  EXPECT_EQ(FindHeader(response.headers, "retry-after-ms"), "1200");
  const HttpResponse spent = ErrorResponse(ApiError(
      absl::StatusCode::kResourceExhausted, "no money",
      {.code = "insufficient_balance", .param = "model", .http_status = 402}));
  EXPECT_EQ(spent.status, 402);
  EXPECT_EQ(ErrorOf(spent)["type"], "insufficient_balance");
  EXPECT_EQ(ErrorOf(spent)["param"], "model");
}

TEST(ErrorResponse, OurMistakesAreNotExplained) {
  const HttpResponse response =
      ErrorResponse(absl::InternalError("10.1.2.3:9410 has no row 5"));
  EXPECT_EQ(response.body.find("10.1.2.3"), std::string::npos);
}

TEST(ErrorResponse, KeysAreAskedForByName) {
  const HttpResponse response =
      ErrorResponse(ApiError(absl::StatusCode::kUnauthenticated, "no key",
                             {.code = "missing_api_key"}));
  EXPECT_EQ(FindHeader(response.headers, "WWW-Authenticate"), "Bearer");
}

}  // namespace
}  // namespace mesh::gateway
