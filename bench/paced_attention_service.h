// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <grpcpp/server.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "core/ids.h"
#include "core/mutex.h"
#include "mesh/attention/v1/attention_service.grpc.pb.h"

namespace mesh::bench {

// An attention node without a model: every `step` each of its streams gets the
// same token, and those beyond `slots` wait. It steps by the clock alone, so
// that what comes late was late elsewhere. Thread-safe.
class PacedAttentionNode {
 public:
  struct Options {
    std::string name;
    int slots = 256;
    absl::Duration step = absl::Milliseconds(200);
    absl::Duration first_step = {};  // from the start, so that nodes take turns
    TokenId token = 0;               // that all streams get
    // Before a token is sent; on the node's thread. `seed` is the request's.
    std::function<void(uint64_t seed, int index)> on_token = {};
  };

  explicit PacedAttentionNode(Options options);
  ~PacedAttentionNode();

  std::string Address() const;
  // Running and waiting.
  int NumStreams() const;
  // Of each step so far: how long after its time it began.
  std::vector<absl::Duration> Lateness() const;

 private:
  class Connection;
  class Service;
  struct Stream {
    std::shared_ptr<Connection> connection;
    uint64_t request = 0;
    uint32_t attempt = 0;
    uint64_t seed = 0;
    int num_tokens = 0;  // sent
    int max_tokens = 0;
  };

  void OnMessage(const std::shared_ptr<Connection>& connection,
                 const attention::v1::ServeRequest& request);
  void OnGone(const Connection* connection);
  attention::v1::ServeResponse MakeHello(
      const attention::v1::GatewayHello& hello) const;
  attention::v1::EngineLoad MakeLoad() const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Loop();
  void Step() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The streams of `connection` go one token on; those that end are dropped.
  void StepConnection(const std::shared_ptr<Connection>& connection)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;
  mutable Mutex mutex_;
  CondVar changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::shared_ptr<Connection>> connections_ ABSL_GUARDED_BY(mutex_);
  std::deque<Stream> streams_ ABSL_GUARDED_BY(mutex_);  // the first ones run
  std::vector<absl::Duration> lateness_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<Service> service_;
  std::unique_ptr<grpc::Server> server_;
  int port_ = 0;
  std::thread thread_;
};

}  // namespace mesh::bench
