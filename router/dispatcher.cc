// SPDX-License-Identifier: Apache-2.0
#include "router/dispatcher.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "core/flush_denormals.h"
#include "core/status_macros.h"
#include "router/check_batch.h"
#include "router/encode_dispatch.h"
#include "router/frame_id.h"
#include "router/transport/frame_writer.h"

namespace mesh::router {
namespace {

constexpr absl::Duration kLongestWait = absl::Seconds(1);

}  // namespace

absl::StatusOr<std::unique_ptr<Dispatcher>> Dispatcher::Create(
    const Options& options, Transport& transport, const Clock& clock) {
  RETURN_IF_ERROR(CheckLimits(options.wire));
  if (options.wire.max_frame_bytes > transport.MaxFrameBytes()) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "dispatch: frames of %d bytes, but the transport's end "
        "at %d",
        options.wire.max_frame_bytes, transport.MaxFrameBytes()));
  }
  if (options.deadline <= absl::ZeroDuration() ||
      options.hedge_after <= absl::ZeroDuration() ||
      options.suspect_after < 1 || options.orphan_wait < absl::ZeroDuration()) {
    return absl::InvalidArgumentError(
        "dispatch: deadline, hedge_after and suspect_after must be positive, "
        "orphan_wait must not be negative");
  }
  return std::unique_ptr<Dispatcher>(new Dispatcher(options, transport, clock));
}

Dispatcher::Dispatcher(const Options& options, Transport& transport,
                       const Clock& clock)
    : options_(options),
      transport_(transport),
      clock_(clock),
      nodes_(options.suspect_after, options.probe_after),
      tokens_per_expert_(static_cast<size_t>(options.wire.num_layers) *
                         static_cast<size_t>(options.wire.num_experts)) {}

Dispatcher::~Dispatcher() = default;

void Dispatcher::SetPeer(NodeId node, PeerId peer) {
  const std::optional<PeerId> old = nodes_.PeerOf(node);
  if (old.has_value() && *old != peer) CloseFramesOf(node);
  nodes_.SetPeer(node, peer);
  // It may be another incarnation, which holds other experts.
  for (const auto& batch : open_) batch->ForgetNotHolding();
}

absl::Status Dispatcher::SetPlacement(
    std::shared_ptr<const Placement> placement) {
  if (placement == nullptr ||
      placement->NumExperts() != options_.wire.num_experts) {
    return absl::InvalidArgumentError(
        absl::StrFormat("dispatch: the placement is not one of %d experts",
                        options_.wire.num_experts));
  }
  placement_ = std::move(placement);
  times_of_nodes_.KeepOnly(placement_->Nodes());
  for (const auto& batch : open_) {
    if (placement_->HasLayer(batch->Layer())) batch->MoveTo(placement_);
  }
  return absl::OkStatus();
}

absl::StatusOr<DispatchHandle> Dispatcher::Dispatch(const RoutedBatch& batch) {
  RETURN_IF_ERROR(aborted_);
  RETURN_IF_ERROR(CheckBatch(batch, options_.wire));
  if (placement_ == nullptr || !placement_->HasLayer(batch.layer)) {
    return absl::FailedPreconditionError(absl::StrFormat(
        "dispatch: no placement for layer %d", batch.layer.value));
  }
  if (ended_.empty()) ended_.push_back(std::make_unique<InFlightBatch>());
  open_.push_back(std::move(ended_.back()));
  ended_.pop_back();
  InFlightBatch& in_flight = *open_.back();
  const absl::Time begun = clock_.Now();
  absl::Status status = in_flight.Start(next_handle_++, batch, options_.wire,
                                        placement_, begun + options_.deadline);
  if (status.ok()) status = SendDue(in_flight);
  if (!status.ok()) {
    End(in_flight);
    return status;
  }
  const size_t first =
      batch.layer.value * static_cast<size_t>(options_.wire.num_experts);
  for (const ExpertId expert : batch.topk_idx) {
    ++tokens_per_expert_[first + expert.value];
  }
  in_flight.SetSentAt(clock_.Now());
  times_.dispatch += in_flight.SentAt() - begun;
  return DispatchHandle{in_flight.Handle()};
}

absl::Status Dispatcher::Combine(DispatchHandle handle, MatrixView<float> out) {
  InFlightBatch* batch = Find(handle.value);
  if (batch == nullptr) {
    return absl::InvalidArgumentError("combine: the handle is not open");
  }
  absl::Status status;
  if (out.Rows() != batch->Hidden().rows ||
      out.Cols() != options_.wire.hidden_size) {
    status = absl::InvalidArgumentError(absl::StrFormat(
        "combine: [%d, %d] for an output of [%d, %d]", out.Rows(), out.Cols(),
        batch->Hidden().rows, options_.wire.hidden_size));
  } else {
    status = WaitFor(*batch);
  }
  if (status.ok()) {
    const ScopedFlushDenormals flush;
    const absl::Time complete = clock_.Now();
    times_.compute += complete - batch->SentAt();
    batch->WriteSum(out);
    times_.combine += clock_.Now() - complete;
  }
  End(*batch);
  return status;
}

absl::Status Dispatcher::WaitFor(InFlightBatch& batch) {
  while (!batch.Complete()) {
    Idle();
    transport_.Poll(*this);
    if (batch.Complete()) break;
    RETURN_IF_ERROR(aborted_);
    const absl::Time now = clock_.Now();
    if (now >= batch.DeadlineAt(now)) {
      return absl::DeadlineExceededError(absl::StrFormat(
          "combine: layer %d is not complete after %s", batch.Layer().value,
          absl::FormatDuration(options_.deadline)));
    }
    // Batches that nobody waits for yet keep moving too; what is wrong with
    // them is told when they are combined.
    for (const auto& other : open_) {
      ExpireFrames(*other);
      absl::Status status = SendDue(*other);
      if (other.get() == &batch && !status.ok()) return status;
    }
  }
  return absl::OkStatus();
}

void Dispatcher::Idle() {
  const absl::Time now = clock_.Now();
  absl::Time next = now + kLongestWait;
  for (const auto& batch : open_) next = std::min(next, batch->NextEvent(now));
  const absl::Duration wait = std::max(next - now, absl::ZeroDuration());
  if (options_.idle) {
    options_.idle(wait);
  } else {
    transport_.Wait(wait);
  }
}

void Dispatcher::ExpireFrames(InFlightBatch& batch) {
  const absl::Time now = clock_.Now();
  for (SentFrame& sent : batch.Frames()) {
    if (sent.closed || sent.hedged || now < sent.overdue_at) continue;
    if (!std::exchange(sent.overdue, true)) nodes_.OnOverdue(sent.node, now);
    if (!batch.IsWanted(sent) || !hedges_.Take(now)) continue;
    sent.hedged = true;
    ++counters_.frames_hedged;
    batch.MakeDue(sent);
  }
}

absl::Status Dispatcher::NoteOrphan(InFlightBatch& batch,
                                    std::optional<ExpertId> orphan) {
  const absl::Time now = clock_.Now();
  batch.SetOrphan(orphan, now);
  std::optional<Orphan>& noted = batch.MutableOrphan();
  if (!noted.has_value()) return absl::OkStatus();
  if (now - noted->since >= options_.orphan_wait) {
    return absl::UnavailableError(absl::StrFormat(
        "dispatch: expert %d of layer %d has had no node for %s",
        noted->expert.value, batch.Layer().value,
        absl::FormatDuration(options_.orphan_wait)));
  }
  if (now >= noted->ask_again_at) {
    noted->ask_again_at = now + options_.probe_after;
    batch.ForgetNotHolding();
  }
  return absl::OkStatus();
}

absl::Status Dispatcher::SendDue(InFlightBatch& batch) {
  const FrameShape shape{.dtype = options_.wire.dtype,
                         .hidden_size = options_.wire.hidden_size,
                         .max_frame_bytes = options_.wire.max_frame_bytes};
  if (!batch.AnyDue()) batch.SetOrphan(std::nullopt, clock_.Now());
  // Again if a peer turns out to be lost, which happens once for each.
  for (bool again = true; again && batch.AnyDue();) {
    again = false;
    RETURN_IF_ERROR(
        NoteOrphan(batch, replicas_.Assign(batch, nodes_, clock_.Now())));
    RETURN_IF_ERROR(plan_.Build(
        {.num_topk = batch.NumTopk(),
         .experts_per_group = options_.wire.ExpertsPerGroup(),
         .num_nodes = static_cast<int>(batch.Table().Nodes().size()),
         .topk_idx = batch.TopkIdx(),
         .assignment = replicas_.Ordinals()},
        shape));
    for (const DestinationPlan& plan : plan_.Destinations()) {
      const NodeId node =
          batch.Table().Nodes()[static_cast<size_t>(plan.ordinal)];
      for (const FrameSpan& span : plan.frames) {
        const absl::Status status = SendFrame(batch, node, plan, span);
        // No memory now: the rows stay due until the next poll.
        if (absl::IsResourceExhausted(status)) return absl::OkStatus();
        if (absl::IsUnavailable(status)) {
          LoseNode(node, status);
          again = true;
          break;
        }
        RETURN_IF_ERROR(status);
      }
    }
  }
  return absl::OkStatus();
}

absl::Status Dispatcher::SendFrame(InFlightBatch& batch, NodeId node,
                                   const DestinationPlan& plan,
                                   const FrameSpan& span) {
  const std::optional<PeerId> peer = nodes_.PeerOf(node);
  if (!peer.has_value()) return absl::UnavailableError("node is lost");
  if (batch.Frames().size() >= kMaxFrames) {
    return absl::InternalError("dispatch: a batch with too many frames");
  }
  const absl::Time now = clock_.Now();
  const FrameHeader header{
      .kind = FrameKind::kDispatch,
      .dtype = options_.wire.dtype,
      .layer = batch.Layer(),
      .origin = options_.incarnation,
      .frame_id = FrameId(batch.Handle(), batch.Frames().size()),
      .epoch = batch.Table().Epoch(),
      .hidden_size = static_cast<uint32_t>(options_.wire.hidden_size),
      .num_rows = static_cast<uint32_t>(span.num_rows),
      .num_segments = static_cast<uint32_t>(span.num_segments),
      .num_items = static_cast<uint32_t>(span.num_picks),
      .remaining_us = RemainingMicros(batch.DeadlineAt(now) - now)};
  const size_t num_bytes = DispatchWriter::Layout(header).TotalBytes();
  ASSIGN_OR_RETURN(Frame frame, transport_.Allocate(num_bytes));
  EncodeDispatch(batch, plan, span, header, frame->Bytes());
  RETURN_IF_ERROR(transport_.Send(*peer, std::move(frame)));

  const int attempts = NumAttempts(batch, plan, span);
  RecordDispatch(plan, span, node, now,
                 now + HedgeDelay(options_.hedge_after, attempts), batch);
  nodes_.AddOutstanding(node, span.num_picks);
  ++counters_.frames_sent;
  counters_.bytes_sent += static_cast<int64_t>(num_bytes);
  if (attempts > 0) {
    ++counters_.frames_resent;
  } else {
    hedges_.OnFirstSend();
  }
  return absl::OkStatus();
}

void Dispatcher::OnFrame(PeerId from, Frame frame) {
  ++counters_.frames_received;
  counters_.bytes_received += static_cast<int64_t>(frame->Bytes().size());
  const auto header = DecodeHeader(frame->Bytes(), options_.wire);
  if (!header.ok()) {
    ++counters_.dropped_corrupt;
    return;
  }
  const uint64_t handle = HandleOf(header->frame_id);
  const uint64_t index = IndexOf(header->frame_id);
  if (header->kind == FrameKind::kDispatch ||
      header->origin != options_.incarnation || handle >= next_handle_) {
    ++counters_.dropped_foreign;
    return;
  }
  InFlightBatch* batch = Find(handle);
  if (batch == nullptr) {
    ++counters_.dropped_late;
    return;
  }
  const std::optional<NodeId> node = nodes_.NodeOf(from);
  if (index >= batch->Frames().size() || node != batch->Frames()[index].node) {
    ++counters_.dropped_foreign;
    return;
  }
  SentFrame& sent = batch->Frames()[index];
  if (sent.closed) {
    ++counters_.dropped_duplicate;
  } else if (header->kind == FrameKind::kCombine) {
    OnCombine(*batch, sent, *header, std::move(frame));
  } else {
    OnStatus(*batch, sent, *header, frame);
  }
}

void Dispatcher::OnCombine(InFlightBatch& batch, SentFrame& sent,
                           const FrameHeader& header, Frame frame) {
  const auto view = DecodeCombine(header, frame->Bytes(), options_.wire);
  if (!view.ok()) {
    ++counters_.dropped_corrupt;
    return;
  }
  const absl::StatusOr<int> num_taken =
      batch.Accept(sent, *view, std::move(frame));
  if (!num_taken.ok()) {
    ++counters_.dropped_corrupt;
    return;
  }
  if (*num_taken == 0) ++counters_.dropped_duplicate;
  times_of_nodes_.Add(sent.node, clock_.Now() - sent.sent_at);
  nodes_.OnAnswer(sent.node);
  nodes_.AddOutstanding(sent.node, -sent.num_picks);
}

void Dispatcher::OnStatus(InFlightBatch& batch, SentFrame& sent,
                          const FrameHeader& header, const Frame& frame) {
  const auto view = DecodeStatus(header, frame->Bytes(), options_.wire);
  if (!view.ok()) {
    ++counters_.dropped_corrupt;
    return;
  }
  if (view->Code() == StatusCode::kOverloaded) {
    // Left to the overdue time, so that it is not asked again at once.
    ++counters_.overloaded;
    return;
  }
  bool asked = false;
  for (int i = 0; i < view->NumExperts(); ++i) {
    asked |= batch.SetNotHolding(sent, view->ExpertAt(i));
  }
  if (!asked) {
    ++counters_.dropped_foreign;
    return;
  }
  ++counters_.not_held;
  nodes_.OnAnswer(sent.node);
  nodes_.AddOutstanding(sent.node, -sent.num_picks);
  batch.Close(sent);
}

void Dispatcher::OnPeerLost(PeerId peer, const absl::Status& reason) {
  const std::optional<NodeId> node = nodes_.NodeOf(peer);
  if (node.has_value()) LoseNode(*node, reason);
}

void Dispatcher::OnPong(PeerId peer, uint64_t cookie) {
  if (options_.pong) options_.pong(peer, cookie);
}

void Dispatcher::LoseNode(NodeId node, const absl::Status& reason) {
  const bool was_there = nodes_.PeerOf(node).has_value();
  nodes_.Lose(node);
  CloseFramesOf(node);
  if (was_there && options_.node_lost) options_.node_lost(node, reason);
}

void Dispatcher::CloseFramesOf(NodeId node) {
  for (const auto& batch : open_) {
    for (SentFrame& sent : batch->Frames()) {
      if (sent.closed || sent.node != node) continue;
      nodes_.AddOutstanding(node, -sent.num_picks);
      ++counters_.frames_lost;
      batch->Close(sent);
    }
  }
}

InFlightBatch* Dispatcher::Find(uint64_t handle) {
  for (const auto& batch : open_) {
    if (batch->Handle() == handle) return batch.get();
  }
  return nullptr;
}

void Dispatcher::End(InFlightBatch& batch) {
  for (const SentFrame& sent : batch.Frames()) {
    if (!sent.closed) nodes_.AddOutstanding(sent.node, -sent.num_picks);
  }
  batch.Finish();
  const auto it =
      std::find_if(open_.begin(), open_.end(),
                   [&](const auto& open) { return open.get() == &batch; });
  ended_.push_back(std::move(*it));
  open_.erase(it);
}

}  // namespace mesh::router
