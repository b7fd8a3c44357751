// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace mesh::gateway {

// What a client is told of an error besides its text, in every dialect. It
// travels in a status' payloads, so that whoever finds the error names it and
// the door it leaves by writes it.
struct ApiErrorDetails {
  // For programs, for example "context_length_exceeded". Empty: the door's
  // own for the status' code.
  std::string code = {};
  // The field of the request, for example "messages[2].role".
  std::string param = {};
  // When another try may succeed. Absent: no hint.
  std::optional<absl::Duration> retry_after = {};
  // 0: the door's own for the status' code.
  int http_status = 0;
};

absl::Status ApiError(absl::StatusCode status_code, absl::string_view message,
                      const ApiErrorDetails& details);
// The most frequent one: kInvalidArgument.
absl::Status InvalidField(absl::string_view param, absl::string_view code,
                          absl::string_view message);
// For a model that is not served, and for one that the client may not know of:
// they must look the same.
absl::Status ModelNotFound(absl::string_view model);

// What ApiError put in; nothing for other errors.
ApiErrorDetails DetailsOf(const absl::Status& status);

}  // namespace mesh::gateway
