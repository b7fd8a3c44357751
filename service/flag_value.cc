// SPDX-License-Identifier: Apache-2.0
#include "service/flag_value.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace mesh::service {
namespace {

absl::Status Expected(const std::string& text, absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("'", text, "', expected ", what));
}

}  // namespace

absl::StatusOr<bool> ParseBool(const std::string& text) {
  if (text == "true") return true;
  if (text == "false") return false;
  return Expected(text, "true or false");
}

absl::StatusOr<int> ParseInt(const std::string& text, int least, int most) {
  int value = 0;
  if (absl::SimpleAtoi(text, &value) && value >= least && value <= most) {
    return value;
  }
  return Expected(text,
                  absl::StrCat("a whole number from ", least, " to ", most));
}

absl::StatusOr<uint64_t> ParseUint64(const std::string& text) {
  uint64_t value = 0;
  if (absl::SimpleAtoi(text, &value)) return value;
  return Expected(text, "a whole number from 0 to 2^64 - 1");
}

absl::StatusOr<double> ParseDouble(const std::string& text, double least,
                                   double most) {
  double value = 0;
  // A NaN is outside.
  if (absl::SimpleAtod(text, &value) && value >= least && value <= most) {
    return value;
  }
  return Expected(text, absl::StrCat("a number from ", least, " to ", most));
}

absl::StatusOr<absl::Duration> ParseDuration(const std::string& text) {
  absl::Duration value;
  if (absl::ParseDuration(text, &value) && value >= absl::ZeroDuration() &&
      value < absl::InfiniteDuration()) {
    return value;
  }
  return Expected(text, "a duration, for example 250ms or 10s");
}

}  // namespace mesh::service
