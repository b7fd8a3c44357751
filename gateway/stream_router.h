// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "core/clock.h"
#include "core/mutex.h"
#include "gateway/attention_messages.h"
#include "gateway/node_link.h"
#include "gateway/prefix_affinity.h"
#include "gateway/stream_log.h"
#include "gateway/stream_sink.h"

namespace mesh::gateway {

// Owns all token streams of the gateway: gives each to an attention node, and
// when that node breaks, refuses or gives up, to another one of the same model,
// numerics class and routing table, at the token where it stopped. Streams
// whose prompts begin alike rather go to the same node, which has computed that
// part.
//
// A stream ends exactly once: by its node, by Cancel, by its deadline, by an
// error that another node would give as well, after max_attempts attempts
// without a new token, or after max_wait without a node.
// Threads: thread-safe, one mutex. Links are called under it, sinks as
// stream_sink.h says.
class StreamRouter {
 public:
  struct Options {
    int vocab_size = 0;
    std::vector<TokenId> eos_token_ids = {};
    int max_streams = 4096;
    int max_attempts = 5;
    absl::Duration max_wait = absl::Seconds(60);
    absl::Duration first_retry = absl::Milliseconds(100);
    absl::Duration longest_retry = absl::Seconds(5);
    // Ids of streams count from here; random, so that they are unique in the
    // mesh.
    uint64_t first_id = 1;
    // Called under the lock when a stream is given to a node again: "lost",
    // "refused", "failed" or "damaged". May be empty.
    std::function<void(absl::string_view reason)> on_migration = {};
  };

  struct Request {
    std::string request_id;
    std::string cache_salt;  // prompts of others are none of its business
    std::vector<TokenId> prompt;
    Sampling sampling;
    int priority = 0;
    absl::Time deadline;
  };

  struct Start {
    RequestId id;
    ModelIdentity identity;
  };

  struct Counts {
    int nodes = 0;
    int streams = 0;
    int max_streams = 0;  // that the nodes run at the same time
    uint64_t kv_blocks_free = 0;
    uint64_t kv_blocks_total = 0;
  };

  // `clock` outlives the router.
  StreamRouter(Options options, const Clock& clock);

  // What is answered before any node was ready.
  static absl::Status NotReadyError();

  // Starts a stream. On an error the sink is never called. Errors: kUnavailable
  // before any node was ready; kResourceExhausted beyond max_streams.
  absl::StatusOr<Start> Submit(Request request,
                               std::shared_ptr<StreamSink> sink);

  // Ends the stream with kCancelled and `status`, if it still runs.
  void Cancel(RequestId id, const absl::Status& status);

  // Takes the stream off its node until Resume: its client has enough to read.
  // It goes on from its last token, with the same bytes. The deadline counts
  // on. Nothing happens to a stream that has ended.
  void Park(RequestId id);
  void Resume(RequestId id);

  // A connection has come or gone. `link` names it in what follows.
  void OnNodeReady(std::shared_ptr<NodeLink> link, NodeHello hello);
  void OnNodeLost(const NodeLink* link);
  // What a connected node says; ignored if it is not (any more).
  void OnStep(const NodeLink* link, StepResults results);
  void OnLoad(const NodeLink* link, const NodeLoad& load);
  void OnRefused(const NodeLink* link, const Refusal& refusal);

  // Ends what is past its deadline, retries what waits. Every 100 ms or so.
  void Tick();

  Counts GetCounts() const;
  // Tokens of prompt and answer that every connected node takes; nothing
  // without a node.
  std::optional<int> MaxPositions() const;
  // Of the node that was ready last; nothing before any was.
  std::optional<ModelIdentity> Identity() const;

 private:
  struct Node {
    std::shared_ptr<NodeLink> link;
    NodeHello hello;
    NodeLoad load = {};
    int num_own = 0;  // streams of this gateway there
  };
  struct Stream {
    Stream(StreamLog::Request request, std::shared_ptr<StreamSink> its_sink)
        : log(std::move(request)), sink(std::move(its_sink)) {}

    StreamLog log;
    std::shared_ptr<StreamSink> sink;
    // The log's identity has been told to the client; before that, any node
    // will do.
    bool is_bound = false;
    absl::Time deadline;
    // What of its prompt other streams may have too.
    PrefixAffinity::Keys prefixes;
    const NodeLink* node = nullptr;  // null: waits for one
    // When it lost its node, or one first refused it; until a new token comes.
    std::optional<absl::Time> stalled_since;
    absl::Time retry_at = absl::InfinitePast();
    int num_failures = 0;         // since the last new token
    std::set<std::string> avoid;  // names of nodes that failed it since then
    absl::Status last_error;
    absl::string_view moved_by;  // the reason to count when it moves
    int num_migrations = 0;
  };
  // Beginnings of prompts, 64 tokens each: at most 6 MiB.
  static constexpr size_t kMaxPrefixChunks = size_t{1} << 15;
  using Streams = absl::flat_hash_map<uint64_t, std::unique_ptr<Stream>>;
  // Sinks to wake once the lock is given up.
  using Wakes = std::vector<std::shared_ptr<StreamSink>>;

  static void WakeAll(const Wakes& wakes);

  Stream* Find(RequestId id, uint32_t attempt, const NodeLink* link)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Node* Choose(const Stream& stream) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Place(Stream& stream) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Detach(Stream& stream) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The stream's attempt came to nothing.
  void Fail(Stream& stream, const absl::Status& status,
            absl::string_view reason, Wakes& wakes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool MayGoOn(const Stream& stream, const absl::Status& status)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Detaches and erases the stream.
  void End(Stream& stream, FinishReason reason, const absl::Status& status,
           Wakes& wakes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnResult(const NodeLink* link, StreamResult result, Wakes& wakes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnFinished(Stream& stream, const Finished& finished, Wakes& wakes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CancelAtNode(const Stream& stream) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void PlaceWaiting() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TickStream(Stream& stream, absl::Time now, Wakes& wakes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;
  const Clock& clock_;
  mutable Mutex mutex_;
  uint64_t next_id_ ABSL_GUARDED_BY(mutex_);
  std::map<const NodeLink*, Node> nodes_ ABSL_GUARDED_BY(mutex_);
  Streams streams_ ABSL_GUARDED_BY(mutex_);
  PrefixAffinity prefixes_ ABSL_GUARDED_BY(mutex_){kMaxPrefixChunks};
  std::optional<ModelIdentity> identity_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace mesh::gateway
