// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "attention-node/engine.h"
#include "attention-node/stream_results.h"
#include "attention-node/transcript.h"
#include "core/clock.h"
#include "core/mutex.h"

namespace mesh::attention {

// One gateway's streams in this node's engine, and what is on its way back. A
// step's results leave together; while the gateway does not read, they gather
// up to a limit, and then the gateway is cut off. Thread-safe; streams keep it
// alive.
class GatewayConnection
    : public std::enable_shared_from_this<GatewayConnection> {
 public:
  // The half that talks to the gateway. Called without a lock.
  class Outlet {
   public:
    virtual ~Outlet() = default;
    // Next() has something. Any thread.
    virtual void OnOutgoing() = 0;
    // Ends the connection, after what is being sent.
    virtual void End(const absl::Status& status) = 0;
    // Ends it at once; the gateway may not hear why.
    virtual void CutOff(const absl::Status& status) = 0;
  };

  struct Options {
    // Tokens, logprobs and ends that may wait for the gateway.
    int64_t max_waiting_entries = 200'000;
    absl::Duration heartbeat_interval = absl::Milliseconds(250);
    absl::Duration silence_limit = absl::Seconds(5);
    int max_streams = 64;  // that the engine runs; what gateways are told
  };
  struct Heartbeat {
    uint64_t sequence = 0;
  };
  using Outgoing = std::variant<StepResults, Refusal, Heartbeat>;

  // A stream as the gateway sends it.
  struct Request {
    Transcript transcript;
    uint32_t attempt = 0;
    absl::Duration timeout = absl::InfiniteDuration();
    int priority = 0;
  };

  // `engine` and `clock` outlive the connection's last stream.
  GatewayConnection(const Options& options, Engine& engine, const Clock& clock,
                    std::weak_ptr<Outlet> outlet);

  // Every message of the gateway's calls one of these.
  void Submit(Request request);
  void Cancel(const StreamKey& key);
  void OnHeartbeat();
  // Answers a submission that never got as far as the engine.
  void Refuse(const StreamKey& key, const absl::Status& status);

  // What to send next, if there is anything.
  std::optional<Outgoing> Next();

  // On the engine thread, after a step: what it made may go.
  void Flush(int64_t step);
  // Now and then: heartbeats, and the end of a gateway that is silent.
  void Tick();
  // From now on submissions are refused with `status`; streams go on.
  void RefuseAll(const absl::Status& status);
  // The gateway is gone: its streams end.
  void Close();
  // Ends the connection from this side.
  void End(const absl::Status& status);
  // Whether there are no streams, and nothing waits for the gateway.
  bool IsIdle() const;

 private:
  class Sink;

  // Engine thread, by way of sinks.
  StreamResult& ResultOf(const StreamKey& key);
  void OnFinished(const StreamKey& key);
  void Announce();
  void CutOff(const absl::Status& status);

  const Options options_;
  Engine& engine_;
  const Clock& clock_;
  const std::weak_ptr<Outlet> outlet_;

  // Engine thread: what the running step has made so far.
  std::vector<StreamResult> collecting_;

  mutable Mutex mutex_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status refusing_ ABSL_GUARDED_BY(mutex_);
  // Attempts by stream.
  absl::flat_hash_map<StreamId, uint32_t> streams_ ABSL_GUARDED_BY(mutex_);
  StepResults waiting_ ABSL_GUARDED_BY(mutex_);
  int64_t waiting_entries_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<Refusal> refusals_ ABSL_GUARDED_BY(mutex_);
  bool heartbeat_due_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t heartbeats_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Time last_heard_ ABSL_GUARDED_BY(mutex_);
  absl::Time last_sent_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace mesh::attention
