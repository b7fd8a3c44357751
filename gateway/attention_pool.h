// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/clock.h"
#include "core/mutex.h"
#include "gateway/attention_client.h"
#include "gateway/stream_router.h"
#include "service/logger.h"

namespace mesh::gateway {

struct AttentionAddress {
  std::string name;
  std::string address;  // host:port

  friend bool operator==(const AttentionAddress&,
                         const AttentionAddress&) = default;
};

// Keeps a connection to every attention node that is known, and gives the
// streams' owner what they say. A node that is no longer listed keeps its
// connection for as long as that works: the list may come from a router that
// has just started and does not know everybody yet.
// Threads: thread-safe.
class AttentionPool final : public AttentionClient::Delegate {
 public:
  struct Options {
    AttentionClient::Options client;  // without the address
    int vocab_size = 0;               // of the model that is served
    absl::Duration first_retry = absl::Milliseconds(100);
    absl::Duration longest_retry = absl::Seconds(2);
  };

  // All outlive the pool.
  AttentionPool(Options options, StreamRouter& streams, const Clock& clock,
                const service::Logger& logger);
  // Closes all connections and waits until they are gone.
  ~AttentionPool() override;

  void SetNodes(const std::vector<AttentionAddress>& nodes);

  // Connects, reconnects, watches. Every 100 ms or so, on one thread.
  void Tick();

 private:
  struct Node {
    std::string address;
    bool is_listed = true;
    std::shared_ptr<AttentionClient> client;  // null between connections
    absl::Time next_try = absl::InfinitePast();
    absl::Duration backoff;
    std::string last_problem;  // logged once
  };

  absl::Status OnReady(const std::shared_ptr<AttentionClient>& client,
                       NodeHello hello) override;
  void OnStep(AttentionClient& client, StepResults results) override;
  void OnLoad(AttentionClient& client, const NodeLoad& load) override;
  void OnRefused(AttentionClient& client, const Refusal& refusal) override;
  void OnClosed(AttentionClient& client, const absl::Status& reason) override;

  bool IsCurrent(const AttentionClient& client);
  void ConnectDue(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void NoteProblem(const std::string& name, Node& node,
                   const absl::Status& reason)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;
  StreamRouter& streams_;
  const Clock& clock_;
  const service::Logger& logger_;
  absl::Time last_tick_;  // of the ticking thread

  Mutex mutex_;
  std::map<std::string, Node> nodes_ ABSL_GUARDED_BY(mutex_);
  // Every connection that is not done.
  std::vector<std::shared_ptr<AttentionClient>> clients_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace mesh::gateway
