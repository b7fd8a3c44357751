// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace mesh::service {

// The text of a flag's value as its type. Errors: kInvalidArgument says what
// was expected; the caller puts the flag's name in front.
absl::StatusOr<bool> ParseBool(const std::string& text);
absl::StatusOr<int> ParseInt(const std::string& text, int least, int most);
absl::StatusOr<uint64_t> ParseUint64(const std::string& text);
absl::StatusOr<double> ParseDouble(const std::string& text, double least,
                                   double most);
// Not negative, not infinite.
absl::StatusOr<absl::Duration> ParseDuration(const std::string& text);

}  // namespace mesh::service
