// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "gateway/http/http_error.h"

namespace mesh::gateway {

// The target of a request in origin form, "/v1/models?limit=5", into the path
// and what is behind the '?'. Nothing is decoded; what is encoded is checked. A
// path has one spelling: no "//", no "." or ".." as a part, however encoded.
std::optional<HttpError> ParseTarget(absl::string_view target,
                                     std::string* path, std::string* query);

}  // namespace mesh::gateway
