// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <memory>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "core/clock.h"
#include "core/mutex.h"
#include "expert-node/expert_node.h"
#include "expert-node/expert_shard.h"
#include "router/transport/transport.h"

namespace mesh::expert {

// The thread that answers frames: it owns the node's end of the data plane and
// sleeps while nothing arrives. Thread-safe.
class DataPlane {
 public:
  // `shard` and `clock` outlive the data plane. Errors: those of
  // ExpertNode::Create.
  static absl::StatusOr<std::unique_ptr<DataPlane>> Create(
      const ExpertNode::Options& options, ExpertShard& shard,
      std::unique_ptr<router::Transport> transport, const Clock& clock);
  ~DataPlane();

  void Start();
  // Answers what has arrived, and no more. Links close with the object.
  // Idempotent.
  void Stop();

  // As of the latest frame.
  ExpertNodeCounters Counters() const;
  router::TransportStats Stats() const { return transport_->Stats(); }

 private:
  explicit DataPlane(std::unique_ptr<router::Transport> transport)
      : transport_(std::move(transport)) {}
  void Loop();

  // Of the thread, once it runs.
  const std::unique_ptr<router::Transport> transport_;
  std::unique_ptr<ExpertNode> node_;

  std::thread thread_;
  std::atomic<bool> stopping_{false};
  mutable Mutex mutex_;
  ExpertNodeCounters counters_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace mesh::expert
