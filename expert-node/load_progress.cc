// SPDX-License-Identifier: Apache-2.0
#include "expert-node/load_progress.h"

#include "absl/strings/str_format.h"

namespace mesh::expert {
namespace {

// Before that the first experts say little about the rest.
constexpr absl::Duration kWarmUp = absl::Milliseconds(200);

}  // namespace

std::string Describe(const LoadProgress& progress, absl::Time now) {
  std::string text =
      absl::StrFormat("loading experts %d/%d", progress.done, progress.total);
  const absl::Duration taken = now - progress.started;
  if (progress.done == 0 || taken < kWarmUp) return text;
  const absl::Duration left =
      taken / progress.done * (progress.total - progress.done);
  absl::StrAppendFormat(
      &text, ", %d s left",
      absl::ToInt64Seconds(absl::Ceil(left, absl::Seconds(1))));
  return text;
}

}  // namespace mesh::expert
