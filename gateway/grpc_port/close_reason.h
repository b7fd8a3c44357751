// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "absl/strings/string_view.h"

namespace mesh::gateway {

// Why a connection to the gRPC port ended.
enum class CloseReason {
  kClient,           // it left
  kServer,           // gRPC ended it
  kHandshake,        // of TLS, failed
  kNotHttp2,         // does not begin as HTTP/2 with prior knowledge does
  kPrefaceDeadline,  // or not in time
  kProtocol,         // broke a rule of HTTP/2
  kFrameSize,
  kHeaderBlock,    // headers too large, or in too many frames
  kStreams,        // too many at the same time
  kRequestBytes,   // of requests that have not ended
  kResets,         // too many streams opened and given up
  kControlFrames,  // too many frames that carry no request
  kIdle,           // no stream for long
  kStalled,        // does not read what it is sent
  kNoDescriptors,  // the process has none left
};
inline constexpr size_t kNumCloseReasons = 15;

// As the label of a metric.
absl::string_view CloseReasonName(CloseReason reason);

}  // namespace mesh::gateway
