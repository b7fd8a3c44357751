// SPDX-License-Identifier: Apache-2.0
#include "gateway/api_error.h"

#include "absl/strings/cord.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace mesh::gateway {
namespace {

constexpr size_t kMaxQuotedBytes = 64;
constexpr char kCode[] = "expertmesh/code";
constexpr char kParam[] = "expertmesh/param";
constexpr char kRetryAfterMs[] = "expertmesh/retry-after-ms";
constexpr char kHttpStatus[] = "expertmesh/http-status";

std::string TextOf(const absl::Status& status, absl::string_view key) {
  const auto payload = status.GetPayload(key);
  return payload.has_value() ? std::string(*payload) : std::string();
}

std::optional<int64_t> NumberOf(const absl::Status& status,
                                absl::string_view key) {
  int64_t number = 0;
  if (!absl::SimpleAtoi(TextOf(status, key), &number)) return std::nullopt;
  return number;
}

}  // namespace

absl::Status ApiError(absl::StatusCode status_code, absl::string_view message,
                      const ApiErrorDetails& details) {
  absl::Status status(status_code, message);
  if (!details.code.empty()) {
    status.SetPayload(kCode, absl::Cord(details.code));
  }
  if (!details.param.empty()) {
    status.SetPayload(kParam, absl::Cord(details.param));
  }
  if (details.retry_after.has_value()) {
    status.SetPayload(
        kRetryAfterMs,
        absl::Cord(absl::StrCat(absl::ToInt64Milliseconds(
            absl::Ceil(*details.retry_after, absl::Milliseconds(1))))));
  }
  if (details.http_status != 0) {
    status.SetPayload(kHttpStatus,
                      absl::Cord(absl::StrCat(details.http_status)));
  }
  return status;
}

absl::Status InvalidField(absl::string_view param, absl::string_view code,
                          absl::string_view message) {
  return ApiError(absl::StatusCode::kInvalidArgument, message,
                  {.code = std::string(code), .param = std::string(param)});
}

absl::Status ModelNotFound(absl::string_view model) {
  return ApiError(
      absl::StatusCode::kNotFound,
      absl::StrCat("model '",
                   absl::Utf8SafeCHexEscape(model.substr(0, kMaxQuotedBytes)),
                   "' does not exist, or this key may not use it; ask for the "
                   "list of models"),
      {.code = "model_not_found", .param = "model"});
}

ApiErrorDetails DetailsOf(const absl::Status& status) {
  ApiErrorDetails details;
  details.code = TextOf(status, kCode);
  details.param = TextOf(status, kParam);
  if (const auto ms = NumberOf(status, kRetryAfterMs)) {
    details.retry_after = absl::Milliseconds(*ms);
  }
  details.http_status =
      static_cast<int>(NumberOf(status, kHttpStatus).value_or(0));
  return details;
}

}  // namespace mesh::gateway
