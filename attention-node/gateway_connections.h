// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "attention-node/engine.h"
#include "attention-node/engine_counters.h"
#include "attention-node/engine_model.h"
#include "attention-node/gateway_connection.h"
#include "core/clock.h"
#include "core/mutex.h"

namespace mesh::attention {

// All gateways that are connected, and whether they may bring streams. Made
// before there is an engine, so that a node that loads can say so. Thread-safe.
class GatewayConnections {
 public:
  GatewayConnections(const GatewayConnection::Options& options,
                     const Clock& clock);

  // From now on gateways may connect. `engine` outlives this object's last
  // connection.
  void Open(Engine& engine, const EngineModel& model);

  // Errors: kUnavailable before Open() and after Close().
  absl::StatusOr<std::shared_ptr<GatewayConnection>> Connect(
      std::weak_ptr<GatewayConnection::Outlet> outlet);

  // While `status` is not OK, streams are refused with it.
  void SetRefusal(const absl::Status& status);
  // Says that no streams are wanted any more, and refuses them.
  void Drain();
  // Ends all connections, for good.
  void Close();

  // Engine thread, after a step.
  void Flush();
  void Tick();

  bool IsEmpty() const;

  struct Load {
    EngineCounters counters;
    bool draining = false;
  };
  Load GetLoad() const;
  // Whether no gateway has a stream here, or results that wait for it.
  bool IsIdle() const;
  // nullptr before Open().
  const EngineModel* Model() const;
  const GatewayConnection::Options& ConnectionOptions() const {
    return options_;
  }

 private:
  // Those that are still there; forgets the others.
  std::vector<std::shared_ptr<GatewayConnection>> Living() const;

  const GatewayConnection::Options options_;
  const Clock& clock_;

  mutable Mutex mutex_;
  Engine* engine_ ABSL_GUARDED_BY(mutex_) = nullptr;
  const EngineModel* model_ ABSL_GUARDED_BY(mutex_) = nullptr;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status refusal_ ABSL_GUARDED_BY(mutex_);
  mutable std::vector<std::weak_ptr<GatewayConnection>> connections_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace mesh::attention
