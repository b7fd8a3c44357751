// SPDX-License-Identifier: Apache-2.0
#include "gateway/openai/error_response.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gateway/api_error.h"
#include "gateway/openai/json_text.h"

namespace mesh::gateway {
namespace {

struct Meaning {
  int http_status;
  absl::string_view code;
};

Meaning MeaningOf(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kFailedPrecondition:
      return {400, "invalid_value"};
    case absl::StatusCode::kUnauthenticated:
      return {401, "invalid_api_key"};
    case absl::StatusCode::kPermissionDenied:
      return {403, "permission_denied"};
    case absl::StatusCode::kNotFound:
      return {404, "not_found"};
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kAborted:
      return {409, "conflict"};
    case absl::StatusCode::kResourceExhausted:
      return {429, "rate_limit_exceeded"};
    case absl::StatusCode::kCancelled:
      return {499, "cancelled"};
    case absl::StatusCode::kUnimplemented:
      return {501, "not_implemented"};
    case absl::StatusCode::kUnavailable:
      return {503, "unavailable"};
    case absl::StatusCode::kDeadlineExceeded:
      return {504, "deadline_exceeded"};
    default:
      return {500, "internal_error"};
  }
}

absl::string_view TypeOf(int http_status) {
  switch (http_status) {
    case 401:
      return "authentication_error";
    case 402:
      return "insufficient_balance";
    case 403:
      return "permission_error";
    case 408:
    case 504:
      return "timeout_error";
    case 429:
      return "rate_limit_error";
    case 501:
      return "invalid_request_error";
    default:
      return http_status >= 500 ? "server_error" : "invalid_request_error";
  }
}

// A request that took too long would take too long again.
bool ShouldRetry(int http_status, const ApiErrorDetails& details) {
  return details.retry_after.has_value() || http_status == 408 ||
         http_status == 429 || http_status == 500 || http_status == 503;
}

void AppendStringOrNull(absl::string_view text, std::string* out) {
  if (text.empty()) {
    absl::StrAppend(out, "null");
  } else {
    AppendJsonString(text, out);
  }
}

}  // namespace

int HttpStatusOf(const absl::Status& status) {
  const int given = DetailsOf(status).http_status;
  return given != 0 ? given : MeaningOf(status.code()).http_status;
}

std::string ErrorBody(const absl::Status& status) {
  const ApiErrorDetails details = DetailsOf(status);
  const Meaning meaning = MeaningOf(status.code());
  const int http_status = HttpStatusOf(status);
  std::string body = R"({"error":{"message":)";
  AppendJsonString(http_status == 500
                       ? "the server made a mistake; try again, and tell its "
                         "operator if it stays"
                       : status.message(),
                   &body);
  absl::StrAppend(&body, R"(,"type":")", TypeOf(http_status), R"(","param":)");
  AppendStringOrNull(details.param, &body);
  absl::StrAppend(&body, R"(,"code":)");
  AppendJsonString(details.code.empty() ? meaning.code : details.code, &body);
  absl::StrAppend(&body, "}}");
  return body;
}

HttpResponse ErrorResponse(const absl::Status& status) {
  const ApiErrorDetails details = DetailsOf(status);
  HttpResponse response;
  response.status = HttpStatusOf(status);
  response.body = ErrorBody(status);
  response.headers.emplace_back("Content-Type", "application/json");
  response.headers.emplace_back(
      "x-should-retry",
      ShouldRetry(response.status, details) ? "true" : "false");
  if (details.retry_after.has_value()) {
    const int64_t ms = absl::ToInt64Milliseconds(*details.retry_after);
    response.headers.emplace_back("Retry-After",
                                  absl::StrCat((ms + 999) / 1000));
    response.headers.emplace_back("retry-after-ms", absl::StrCat(ms));
  }
  if (response.status == 401) {
    response.headers.emplace_back("WWW-Authenticate", "Bearer");
  }
  return response;
}

}  // namespace mesh::gateway
