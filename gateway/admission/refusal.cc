// SPDX-License-Identifier: Apache-2.0
#include "gateway/admission/refusal.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gateway/api_error.h"

namespace mesh::gateway {
namespace {

absl::Status OverRate(absl::string_view what, absl::Duration retry_after) {
  return ApiError(
      absl::StatusCode::kResourceExhausted,
      absl::StrCat("more ", what, " than this key may have; try again later"),
      {.code = "rate_limit_exceeded",
       .retry_after = retry_after,
       .http_status = 429});
}

absl::Status Overloaded(absl::Duration retry_after) {
  return ApiError(
      absl::StatusCode::kResourceExhausted,
      "the mesh has more requests than it can answer in time; try "
      "again later",
      {.code = "overloaded", .retry_after = retry_after, .http_status = 429});
}

absl::Status Unavailable(absl::string_view message, absl::string_view code,
                         absl::Duration retry_after) {
  return ApiError(absl::StatusCode::kUnavailable, message,
                  {.code = std::string(code),
                   .retry_after = retry_after,
                   .http_status = 503});
}

}  // namespace

absl::string_view ShedReasonName(ShedReason reason) {
  switch (reason) {
    case ShedReason::kRequestRate:
      return "request_rate";
    case ShedReason::kTokenRate:
      return "token_rate";
    case ShedReason::kConcurrency:
      return "concurrency";
    case ShedReason::kWait:
      return "wait";
    case ShedReason::kFull:
      return "full";
    case ShedReason::kPushedOut:
      return "pushed_out";
    case ShedReason::kTimedOut:
      return "timed_out";
    case ShedReason::kNoCapacity:
      return "no_capacity";
    case ShedReason::kDeadline:
      return "deadline";
    case ShedReason::kDraining:
      return "draining";
  }
  return "other";
}

absl::Status RefusalOf(ShedReason reason, absl::Duration retry_after) {
  switch (reason) {
    case ShedReason::kRequestRate:
      return OverRate("requests a minute", retry_after);
    case ShedReason::kTokenRate:
      return OverRate("tokens a minute", retry_after);
    case ShedReason::kConcurrency:
      return OverRate("requests at the same time", retry_after);
    case ShedReason::kDraining:
      return Unavailable(
          "this gateway is shutting down; try again at another one",
          "shutting_down", retry_after);
    case ShedReason::kNoCapacity:
      return Unavailable("no attention node is ready; try again later",
                         "unavailable", retry_after);
    case ShedReason::kDeadline:
      return ApiError(absl::StatusCode::kDeadlineExceeded,
                      "the deadline passed before the request's turn came; "
                      "give it more time",
                      {.code = "deadline_exceeded", .http_status = 504});
    default:
      return Overloaded(retry_after);
  }
}

}  // namespace mesh::gateway
