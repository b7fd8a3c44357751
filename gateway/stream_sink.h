// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "absl/status/status.h"
#include "gateway/attention_messages.h"

namespace mesh::gateway {

// How a stream ended.
struct StreamEnd {
  FinishReason reason = FinishReason::kStop;
  // OK for kStop, kLength and a kCancelled that was asked for; else the cause.
  absl::Status status;
  int num_migrations = 0;
};

// Where a stream's results go. The first two are called one at a time, in the
// stream's order, under the router's lock: an implementation keeps what it is
// given and returns, and does not call the router. Wake() follows without the
// lock, perhaps on several threads at once; there the results may be used.
class StreamSink {
 public:
  virtual ~StreamSink() = default;

  // Only what is new: indices and positions ascend by one. `num_migrations`: so
  // far.
  virtual void OnResult(StreamResult result, int num_migrations) = 0;
  // Once, and last.
  virtual void OnEnd(StreamEnd end) = 0;
  virtual void Wake() = 0;
};

}  // namespace mesh::gateway
