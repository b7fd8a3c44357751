// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "attention-node/dial_schedule.h"
#include "attention-node/expert_links.h"
#include "core/clock.h"
#include "core/ids.h"
#include "core/mutex.h"
#include "router/placement/placement.h"
#include "service/logger.h"

namespace mesh::attention {

// Keeps links to all expert nodes of the table, and decides when a new table is
// adopted: at once if every expert has a connected node, else after a second,
// whoever is missing. Thread-safe; Run() belongs to the control thread.
class ExpertDialer final : public ExpertLinks::Listener {
 public:
  using Dialled = std::function<void(absl::StatusOr<std::string>)>;
  struct Options {
    // The model's.
    std::vector<LayerId> layers = {};
    int num_experts = 0;
    // Asks the node for a link, and says how Transport::Connect reaches it;
    // calls back once, on any thread.
    std::function<void(const ExpertPeer&, Dialled)> dial = {};
    // A table is in use. Called in Run().
    std::function<void(uint64_t epoch)> adopted = {};
    // Run() has something to do. Called on any thread.
    std::function<void()> wake = {};
    absl::Duration adopt_after = absl::Seconds(1);
  };

  ExpertDialer(Options options, const Clock& clock,
               const service::Logger& logger)
      : options_(std::move(options)), clock_(clock), logger_(logger) {}

  // `nodes`: of the table. Errors: kInvalidArgument for a table of another
  // model, or an epoch below the last one's.
  absl::Status SetPlacement(std::shared_ptr<const router::Placement> placement,
                            std::vector<ExpertPeer> nodes);

  // Does what is due, and returns when it wants to be called again.
  absl::Time Run(ExpertLinks& links);

  // Whether a table is in use whose every expert could be reached; stays so.
  bool Ready() const;
  // The nodes of the last table, with whether there is a link.
  struct PeerState {
    ExpertPeer peer;
    bool connected = false;
  };
  std::vector<PeerState> Peers() const;

  void OnConnected(NodeId node) override;
  void OnLost(NodeId node, const absl::Status& reason) override;
  void OnAdopted(uint64_t epoch) override;

 private:
  void OnDialled(const ExpertPeer& peer, absl::StatusOr<std::string> address);
  // Whether every expert of the table has a connected node.
  bool IsCovered(const router::Placement& placement) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::shared_ptr<const router::Placement> TakeAdoptable(absl::Time now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::string NameOf(NodeId node) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;
  const Clock& clock_;
  const service::Logger& logger_;

  struct Link {
    NodeId node;
    std::string address;
  };
  mutable Mutex mutex_;
  DialSchedule schedule_ ABSL_GUARDED_BY(mutex_);
  std::vector<ExpertPeer> peers_ ABSL_GUARDED_BY(mutex_);
  std::vector<Link> links_ ABSL_GUARDED_BY(mutex_);  // to be handed over
  // The latest table; `pending_since_` until it has been handed over.
  std::shared_ptr<const router::Placement> placement_ ABSL_GUARDED_BY(mutex_);
  std::optional<absl::Time> pending_since_ ABSL_GUARDED_BY(mutex_);
  uint64_t adopted_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t adopted_told_ ABSL_GUARDED_BY(mutex_) = 0;
  bool ready_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace mesh::attention
