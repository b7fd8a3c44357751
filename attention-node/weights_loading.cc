// SPDX-License-Identifier: Apache-2.0
#include "attention-node/weights_loading.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "model/weight_names.h"

namespace mesh::attention {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;
// For logits, buffers of a step, and gRPC.
constexpr uint64_t kReserveBytes = 64 * kMiB;
// Before that the first bytes say little about the rest.
constexpr absl::Duration kWarmUp = absl::Milliseconds(200);

uint64_t MiB(uint64_t bytes) { return (bytes + kMiB - 1) / kMiB; }

}  // namespace

uint64_t AttentionBytes(const model::Checkpoint& checkpoint) {
  uint64_t bytes = 0;
  for (const std::string& name : checkpoint.TensorNames()) {
    if (absl::StrContains(name, ".mlp.experts.") ||
        model::IsMtpTensor(checkpoint.Config(), name)) {
      continue;
    }
    bytes += checkpoint.Find(name)->NumBytes();
  }
  return bytes;
}

absl::Status CheckMemory(uint64_t weight_bytes, uint64_t kv_bytes,
                         uint64_t available_bytes) {
  const uint64_t needed = weight_bytes + kv_bytes + kReserveBytes;
  if (needed <= available_bytes) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrFormat(
      "the model's weights need %d MiB and the KV cache %d MiB, but %d MiB of "
      "memory are available; lower --kv-memory or use a machine with more",
      MiB(weight_bytes), MiB(kv_bytes), available_bytes / kMiB));
}

std::string DescribeLoading(uint64_t done_bytes, uint64_t total_bytes,
                            absl::Duration elapsed) {
  done_bytes = std::min(done_bytes, total_bytes);
  std::string text = absl::StrCat("loading weights ", done_bytes / kMiB, "/",
                                  MiB(total_bytes), " MiB");
  if (done_bytes < kMiB || elapsed < kWarmUp) return text;
  const double share =
      static_cast<double>(done_bytes) / static_cast<double>(total_bytes);
  const double left = absl::ToDoubleSeconds(elapsed) * (1 - share) / share;
  absl::StrAppendFormat(&text, ", %d s left",
                        static_cast<int64_t>(std::ceil(left)));
  return text;
}

}  // namespace mesh::attention
