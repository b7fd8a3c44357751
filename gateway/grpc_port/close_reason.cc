// SPDX-License-Identifier: Apache-2.0
#include "gateway/grpc_port/close_reason.h"

#include <iterator>

namespace mesh::gateway {
namespace {

// In the order of the enumeration.
constexpr absl::string_view kNames[] = {
    "client",   "server",         "handshake", "not_http2", "preface_deadline",
    "protocol", "frame_size",     "headers",   "streams",   "request_bytes",
    "resets",   "control_frames", "idle",      "stalled",   "no_descriptors"};
static_assert(std::size(kNames) == kNumCloseReasons);

}  // namespace

absl::string_view CloseReasonName(CloseReason reason) {
  return kNames[static_cast<size_t>(reason)];
}

}  // namespace mesh::gateway
