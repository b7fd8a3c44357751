// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/clock.h"
#include "core/ids.h"
#include "core/matrix_view.h"
#include "router/answer_times.h"
#include "router/dispatch_plan.h"
#include "router/hedge_budget.h"
#include "router/in_flight_batch.h"
#include "router/node_table.h"
#include "router/placement/placement.h"
#include "router/replica_assignment.h"
#include "router/routed_batch.h"
#include "router/transport/transport.h"
#include "router/transport/wire_format.h"

namespace mesh::router {

// Exact since the start.
struct DispatchCounters {
  int64_t frames_sent = 0;
  int64_t bytes_sent = 0;
  int64_t frames_received = 0;
  int64_t bytes_received = 0;
  int64_t frames_resent = 0;  // of frames_sent: retries and hedges
  // Why: frames whose rows were made due again.
  int64_t frames_hedged = 0;  // the answer was overdue
  int64_t frames_lost = 0;    // their node was lost
  int64_t not_held = 0;       // status answers
  int64_t overloaded = 0;     // status answers; they are left to be overdue
  // Answers that were not used.
  int64_t dropped_corrupt = 0;    // damaged, cut or malformed
  int64_t dropped_foreign = 0;    // not an answer to a frame of ours
  int64_t dropped_late = 0;       // its batch has ended
  int64_t dropped_duplicate = 0;  // all its rows had been answered
};

// Where the time of all batches went, since the start.
struct DispatchTimes {
  absl::Duration dispatch;  // Dispatch(): rows to frames, and sent
  absl::Duration compute;   // from there to the last answer
  absl::Duration combine;   // the sum of the answers
};

// ExpertDispatch over any transport.
//
// Work goes to one replica of each expert. If an answer is overdue, its open
// rows go to another replica too, or once more to the same if it is the only
// one; the first valid answer of a row wins. A lost peer's rows move at once.
// Rows that no node can take wait for one. Rows are never combined before all
// are there. Owned by the engine thread, as is the transport.
class Dispatcher final : public ExpertDispatch, private FrameHandler {
 public:
  struct Options {
    WireLimits wire;
    uint64_t incarnation = 0;  // unique among the dispatchers of the mesh,
                               // restarts included
    // Dispatch to Combine's error; waiting for a node does not count.
    absl::Duration deadline = absl::Seconds(5);
    // How long rows wait for a node if their expert has none.
    absl::Duration orphan_wait = absl::ZeroDuration();
    // After this without an answer a frame is sent again, within a budget
    // (router/hedge_budget.h); doubles each time.
    absl::Duration hedge_after = absl::Milliseconds(100);
    // Overdue answers in a row that make a node suspect: it gets no work while
    // another replica can have it, until it answers or `probe_after` is over.
    int suspect_after = 3;
    absl::Duration probe_after = absl::Seconds(1);
    // Called while Combine() waits, before each poll; may sleep up to the
    // duration, may call SetPeer, SetPlacement and Abort. An embedded mesh runs
    // its expert nodes here. If empty, Combine() waits on the transport.
    std::function<void(absl::Duration)> idle = {};
    // Called once when a node turns out to be lost; must not call back.
    std::function<void(NodeId, const absl::Status& reason)> node_lost = {};
    // What Transport::Ping asked for has come.
    std::function<void(PeerId, uint64_t cookie)> pong = {};
  };

  // `transport` and `clock` must outlive the dispatcher.
  // Errors: kInvalidArgument if an option makes no sense.
  static absl::StatusOr<std::unique_ptr<Dispatcher>> Create(
      const Options& options, Transport& transport, const Clock& clock);
  ~Dispatcher() override;

  // Tells how a node is reached; also when a lost node is back.
  void SetPeer(NodeId node, PeerId peer);
  // Nothing if the node is unknown or lost.
  std::optional<PeerId> PeerOf(NodeId node) const {
    return nodes_.PeerOf(node);
  }

  // The table for all that is sent from now on, also for dispatches under way
  // if it has their layer. Errors: kInvalidArgument if its experts are not
  // those of `wire`.
  absl::Status SetPlacement(std::shared_ptr<const Placement> placement);

  // Makes progress between dispatches: notices lost peers, drops late answers.
  void Poll() { transport_.Poll(*this); }

  // Dispatches under way and later ones fail with `status`, which is not OK.
  void Abort(const absl::Status& status) { aborted_ = status; }

  // Errors: kInvalidArgument if the batch is malformed; kFailedPrecondition
  // without a placement for the layer; kUnavailable if an expert has no node
  // and is not waited for; that of Abort().
  absl::StatusOr<DispatchHandle> Dispatch(const RoutedBatch& batch) override;

  // Errors: kDeadlineExceeded; kUnavailable if an expert has had no node for
  // too long; that of Abort(); kInvalidArgument for a wrong shape or a handle
  // that is not open. `out` is written only on success; the handle ends in any
  // case.
  absl::Status Combine(DispatchHandle handle, MatrixView<float> out) override;

  const DispatchCounters& Counters() const { return counters_; }
  const DispatchTimes& Times() const { return times_; }
  // Of the nodes of the table.
  const AnswerTimes& TimesOfNodes() const { return times_of_nodes_; }
  // [num_layers * num_experts]: rows that chose the expert, counted once each,
  // whatever was sent again.
  std::span<const int64_t> TokensPerExpert() const {
    return tokens_per_expert_;
  }

 private:
  Dispatcher(const Options& options, Transport& transport, const Clock& clock);

  void OnFrame(PeerId from, Frame frame) override;
  void OnPeerLost(PeerId peer, const absl::Status& reason) override;
  void OnPong(PeerId peer, uint64_t cookie) override;

  void OnCombine(InFlightBatch& batch, SentFrame& sent,
                 const FrameHeader& header, Frame frame);
  void OnStatus(InFlightBatch& batch, SentFrame& sent,
                const FrameHeader& header, const Frame& frame);
  void LoseNode(NodeId node, const absl::Status& reason);
  // What is under way to the node will bring nothing.
  void CloseFramesOf(NodeId node);

  // Sends what is due, to other nodes if one turns out to be lost.
  // Errors: those of Dispatch().
  absl::Status SendDue(InFlightBatch& batch);
  absl::Status SendFrame(InFlightBatch& batch, NodeId node,
                         const DestinationPlan& plan, const FrameSpan& span);
  // Errors: kUnavailable if it has been one for too long.
  absl::Status NoteOrphan(InFlightBatch& batch, std::optional<ExpertId> orphan);
  void ExpireFrames(InFlightBatch& batch);
  void Idle();
  absl::Status WaitFor(InFlightBatch& batch);

  InFlightBatch* Find(uint64_t handle);
  void End(InFlightBatch& batch);

  const Options options_;
  Transport& transport_;
  const Clock& clock_;
  std::shared_ptr<const Placement> placement_;
  NodeTable nodes_;
  HedgeBudget hedges_;
  absl::Status aborted_;
  DispatchCounters counters_;
  DispatchTimes times_;
  AnswerTimes times_of_nodes_;
  std::vector<int64_t> tokens_per_expert_;

  uint64_t next_handle_ = 1;
  // Open batches, and ended ones whose memory is used again.
  std::vector<std::unique_ptr<InFlightBatch>> open_;
  std::vector<std::unique_ptr<InFlightBatch>> ended_;

  // Scratch, kept for its memory.
  ReplicaAssignment replicas_;
  DispatchPlan plan_;
};

}  // namespace mesh::router
