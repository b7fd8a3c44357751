// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <grpcpp/channel.h>

#include <climits>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "core/mutex.h"
#include "tests/integration/reference_streams.h"

namespace mesh {

// What became of many streams.
struct StreamsReport {
  int num_same = 0;       // finished with the expected bits
  int num_different = 0;  // finished with others
  int num_failed = 0;     // ended with an error
  int num_migrated = 0;   // moved to another attention node at least once
  int64_t num_tokens = 0;
  absl::Duration longest_gap;  // between two events of one stream
  std::string first_problem;   // for people; empty if there was none

  int NumEnded() const { return num_same + num_different + num_failed; }
};

// Keeps a number of Generate calls running at a gateway, over and over the
// reference streams, and compares each to the bit with what it gives alone.
// Thread-safe.
class GatewayStreams {
 public:
  // Starts at once. `limit`: streams in all.
  GatewayStreams(std::shared_ptr<grpc::Channel> gateway, int num_concurrent,
                 int limit = INT_MAX);
  // Cancels what still runs.
  ~GatewayStreams();
  GatewayStreams(const GatewayStreams&) = delete;
  GatewayStreams& operator=(const GatewayStreams&) = delete;

  // False if `limit` passes before so many more tokens came, in all streams
  // together.
  bool WaitForTokens(int64_t num_more, absl::Duration limit);
  // False if `limit` passes before so many more streams ended.
  bool WaitForEnded(int num_more, absl::Duration limit);

  // Starts no more, waits until those that run have ended; cancels (and so
  // counts as failed) what has not after `limit`.
  StreamsReport Finish(absl::Duration limit);

 private:
  class Call;

  void StartCalls() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnToken();
  void OnEnded(Call* call);

  const std::shared_ptr<grpc::Channel> gateway_;
  const int num_concurrent_;
  const int limit_;
  const std::vector<StreamResult>& expected_;
  Mutex mutex_;
  CondVar changed_;
  bool finishing_ ABSL_GUARDED_BY(mutex_) = false;
  int num_started_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<std::unique_ptr<Call>> running_ ABSL_GUARDED_BY(mutex_);
  StreamsReport report_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace mesh
