// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "attention-node/engine_counters.h"
#include "attention-node/token_sink.h"
#include "attention-node/transcript.h"
#include "core/ids.h"
#include "core/mutex.h"

namespace mesh::attention {

using StreamId = std::pair<RequestId, uint32_t>;  // request, choice

// A stream on its way to the engine thread.
struct Submission {
  Transcript transcript;
  absl::Time deadline;
  int priority = 0;
  std::shared_ptr<TokenSink> sink;
};

// The door between the threads that submit and the engine thread. Knows which
// streams are in the engine, and so bounds all it holds. Thread-safe.
class EngineInbox {
 public:
  struct Limits {
    int max_streams = 1024;  // waiting and running
    // Submitted with them; stop tokens count as well, and biases twice.
    int64_t max_tokens = 8'000'000;
  };

  explicit EngineInbox(const Limits& limits) : limits_(limits) {}

  // Errors: kResourceExhausted; kAlreadyExists; kUnavailable after Close.
  absl::Status Submit(Submission submission);
  void Cancel(const StreamId& stream);

  // For the engine thread: all that came in since the last call.
  void Take(std::vector<Submission>* submissions,
            std::vector<StreamId>* cancelled);
  // The stream has left the engine.
  void Remove(const StreamId& stream);
  bool HasStreams() const;
  // False once closed. Returns at once while a stream is in the engine.
  bool WaitForWork();
  // Whether WaitForWork() would return at once.
  bool HasWork() const;
  // `waker` is called, without a lock, whenever there is work after there was
  // none. REQUIRES: no other thread is there yet.
  void SetWaker(std::function<void()> waker) { waker_ = std::move(waker); }
  void Close();
  bool Closed() const;

  void Publish(const EngineCounters& counters);
  EngineCounters Counters() const;

 private:
  struct Stream {
    int64_t num_tokens = 0;
    bool cancelled = false;
  };

  absl::Status Add(Submission submission);

  const Limits limits_;
  std::function<void()> waker_;  // may be empty
  mutable Mutex mutex_;
  CondVar changed_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  int64_t num_tokens_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t num_submitted_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::flat_hash_map<StreamId, Stream> streams_ ABSL_GUARDED_BY(mutex_);
  std::vector<Submission> submissions_ ABSL_GUARDED_BY(mutex_);
  std::vector<StreamId> cancelled_ ABSL_GUARDED_BY(mutex_);
  EngineCounters counters_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace mesh::attention
