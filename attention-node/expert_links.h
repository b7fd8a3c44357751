// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "attention-node/link_probe.h"
#include "core/clock.h"
#include "core/ids.h"
#include "core/mutex.h"
#include "router/dispatcher.h"
#include "router/placement/placement.h"
#include "router/transport/transport.h"

namespace mesh::attention {

// The engine thread's end of everything that has to do with expert nodes: the
// dispatcher, and a mailbox through which other threads tell it of links and
// tables. The mailbox is emptied between steps, while the engine is idle, and
// while a step waits for experts, so a table that arrives then helps that very
// step.
class ExpertLinks {
 public:
  // Called on the engine thread; must not block.
  class Listener {
   public:
    virtual ~Listener() = default;
    virtual void OnConnected(NodeId node) = 0;
    // Never was connected, or is no longer.
    virtual void OnLost(NodeId node, const absl::Status& reason) = 0;
    // The table of `epoch` is in use, and nothing is under way under an
    // earlier one.
    virtual void OnAdopted(uint64_t epoch) = 0;
  };

  // What other threads may see; taken after a step.
  struct Snapshot {
    router::DispatchCounters counters;
    uint64_t epoch = 0;  // in use; 0: none yet
    // How long nodes took to answer; brought up to date as the next is.
    router::AnswerTimes answer_times;
    // [num_layers * num_experts], see Dispatcher::TokensPerExpert; brought up
    // to date twice a second and when the engine goes idle.
    std::vector<int64_t> tokens_per_expert;
  };

  // `options` without its callbacks. What is passed by reference outlives the
  // links. Errors: those of Dispatcher::Create.
  static absl::StatusOr<std::unique_ptr<ExpertLinks>> Create(
      router::Dispatcher::Options options, router::Transport& transport,
      const Clock& clock, Listener& listener);
  ~ExpertLinks();
  ExpertLinks(const ExpertLinks&) = delete;
  ExpertLinks& operator=(const ExpertLinks&) = delete;

  // Any thread.

  // Ends a sleep of the engine thread.
  void Wake() { transport_.Wake(); }
  // REQUIRES: the table is of the model's layers and experts.
  void SetPlacement(std::shared_ptr<const router::Placement> placement);
  // `address`: of Transport::Connect.
  void Connect(NodeId node, std::string address);
  // Measures the links to all connected nodes of the table between two steps.
  // `done` is called once, on the engine thread or, with nothing, by Stop().
  void Probe(size_t num_bytes,
             const std::function<void(std::vector<LinkProbe>)>& done);
  // Steps that wait for experts fail at once, later ones too.
  void Abort(const absl::Status& status);
  Snapshot GetSnapshot() const;
  // Answers the probes that still wait. REQUIRES: the engine thread has ended.
  void Stop();

  // Engine thread.

  router::ExpertDispatch& Dispatch() { return *dispatcher_; }
  const router::DispatchTimes& DispatchTimes() const {
    return dispatcher_->Times();
  }
  void BeforeStep();
  // `more`: whether streams are left.
  void AfterStep(bool more);
  // While there are no streams: looks after links and mailbox, then sleeps
  // until something comes or Wake() is called.
  void Idle();

 private:
  using PlacementPtr = std::shared_ptr<const router::Placement>;
  struct ConnectCommand {
    NodeId node;
    std::string address;
  };
  struct ProbeCommand {
    size_t num_bytes = 0;
    std::function<void(std::vector<LinkProbe>)> done;
  };
  using Command = std::variant<PlacementPtr, ConnectCommand, absl::Status>;

  ExpertLinks(router::Transport& transport, const Clock& clock,
              Listener& listener)
      : transport_(transport), clock_(clock), listener_(listener) {}

  void Post(Command command);
  // False once stopped.
  bool AddProbe(ProbeCommand probe);
  // Empties the mailbox; false if it was empty.
  bool Drain();
  void Do(const PlacementPtr& placement);
  void Do(const ConnectCommand& command);
  void Do(const absl::Status& aborted);
  void RunProbes();
  LinkProbe ProbeNode(NodeId node, size_t num_bytes);
  // Seconds that one message took, there and back.
  absl::StatusOr<double> RoundTrip(PeerId peer, size_t num_bytes);

  router::Transport& transport_;
  const Clock& clock_;
  Listener& listener_;

  // Engine thread.
  std::unique_ptr<router::Dispatcher> dispatcher_;
  PlacementPtr placement_;
  bool adoption_to_tell_ = false;
  absl::Time tokens_at_ = absl::InfinitePast();
  uint64_t last_cookie_ = 0;
  uint64_t last_pong_ = 0;

  mutable Mutex mutex_;
  std::vector<Command> commands_ ABSL_GUARDED_BY(mutex_);
  std::vector<ProbeCommand> probes_ ABSL_GUARDED_BY(mutex_);
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  Snapshot snapshot_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace mesh::attention
