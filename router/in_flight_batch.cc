// SPDX-License-Identifier: Apache-2.0
#include "router/in_flight_batch.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/check.h"
#include "core/status_macros.h"
#include "router/combine.h"

namespace mesh::router {
namespace {

// How soon to look again for memory or a node, and for leave to send again.
constexpr absl::Duration kRetryDelay = absl::Milliseconds(1);
constexpr absl::Duration kHedgeRetryDelay = absl::Milliseconds(10);

}  // namespace

absl::Status InFlightBatch::Start(uint64_t handle, const RoutedBatch& batch,
                                  const WireLimits& wire,
                                  std::shared_ptr<const Placement> placement,
                                  absl::Time deadline) {
  handle_ = handle;
  layer_ = batch.layer;
  deadline_ = deadline;
  placement_ = std::move(placement);
  num_topk_ = batch.num_topk;
  topk_idx_.assign(batch.topk_idx.begin(), batch.topk_idx.end());
  topk_weights_.assign(batch.topk_weights.begin(), batch.topk_weights.end());
  work_.assign(batch.work.begin(), batch.work.end());

  const RowsView& hidden = batch.hidden;
  const size_t row_bytes =
      SizeOf(wire.dtype) * static_cast<size_t>(wire.hidden_size);
  const size_t stride =
      RowStride(wire.dtype, static_cast<size_t>(wire.hidden_size));
  const size_t num_bytes = stride * static_cast<size_t>(hidden.rows);
  if (hidden_bytes_.Size() < num_bytes) {
    ASSIGN_OR_RETURN(hidden_bytes_, AlignedBuffer::Allocate(2 * num_bytes));
  }
  for (int r = 0; r < hidden.rows; ++r) {
    std::memcpy(hidden_bytes_.Data() + static_cast<size_t>(r) * stride,
                hidden.RowData(r), row_bytes);
  }
  hidden_ = {.dtype = wire.dtype,
             .data = hidden_bytes_.Data(),
             .rows = hidden.rows,
             .cols = wire.hidden_size,
             .stride_bytes = stride};
  orphan_.reset();
  frames_.clear();
  asked_.clear();
  FindSegments(wire.ExpertsPerGroup());
  return absl::OkStatus();
}

void InFlightBatch::FindSegments(int experts_per_group) {
  picks_.assign(topk_idx_.size(), Pick{});
  segments_.clear();
  for (int pick = 0; pick < NumPicks(); ++pick) {
    const int row = pick / num_topk_;
    const int group =
        topk_idx_[static_cast<size_t>(pick)].value / experts_per_group;
    if (segments_.empty() || segments_.back().row != row ||
        segments_.back().group != group) {
      segments_.push_back({.row = row, .group = group, .first_pick = pick});
    }
    SegmentState& segment = segments_.back();
    ++segment.num_picks;
    ++segment.num_missing;
    picks_[static_cast<size_t>(pick)].segment =
        static_cast<int>(segments_.size()) - 1;
    picks_[static_cast<size_t>(pick)].due = true;
  }
  num_open_segments_ = static_cast<int>(segments_.size());
  num_due_ = NumPicks();
}

void InFlightBatch::Finish() {
  answers_.clear();
  placement_.reset();
}

void InFlightBatch::MoveTo(std::shared_ptr<const Placement> placement) {
  MESH_DCHECK(placement->HasLayer(layer_));
  ForgetNotHolding();
  for (int p = 0; p < NumPicks(); ++p) {
    const uint32_t tried =
        std::exchange(picks_[static_cast<size_t>(p)].tried, 0);
    if (tried == 0) continue;
    const ExpertId expert = topk_idx_[static_cast<size_t>(p)];
    const auto replicas = placement_->ReplicaOrdinals(layer_, expert);
    for (size_t i = 0; i < replicas.size(); ++i) {
      if ((tried >> i & 1) == 0) continue;
      const NodeId node = placement_->Nodes()[static_cast<size_t>(replicas[i])];
      picks_[static_cast<size_t>(p)].tried |=
          ReplicaBit(*placement, expert, node);
    }
  }
  placement_ = std::move(placement);
  const auto nodes = placement_->Nodes();
  for (SentFrame& sent : frames_) {
    const bool left = std::ranges::find(nodes, sent.node) == nodes.end();
    if (left && sent.overdue && !sent.closed) MakeDue(sent);
  }
}

void InFlightBatch::ForgetNotHolding() {
  for (Pick& pick : picks_) pick.not_holding = 0;
}

void InFlightBatch::SetOrphan(std::optional<ExpertId> expert, absl::Time now) {
  if (!expert.has_value()) {
    deadline_ = DeadlineAt(now);
    orphan_.reset();
  } else if (!orphan_.has_value()) {
    orphan_ = {.expert = *expert, .since = now, .ask_again_at = now};
  }
}

absl::Time InFlightBatch::NextEvent(absl::Time now) const {
  absl::Time next = DeadlineAt(now);
  if (AnyDue()) next = std::min(next, now + kRetryDelay);
  for (const SentFrame& sent : frames_) {
    if (sent.closed || sent.hedged) continue;
    next =
        std::min(next, sent.overdue ? now + kHedgeRetryDelay : sent.overdue_at);
  }
  return next;
}

uint32_t InFlightBatch::ReplicaBit(const Placement& placement, ExpertId expert,
                                   NodeId node) const {
  const auto replicas = placement.ReplicaOrdinals(layer_, expert);
  for (size_t i = 0; i < replicas.size(); ++i) {
    if (placement.Nodes()[static_cast<size_t>(replicas[i])] == node) {
      return uint32_t{1} << i;
    }
  }
  return 0;
}

int InFlightBatch::AddFrame(NodeId node, absl::Time sent_at,
                            absl::Time overdue_at) {
  frames_.push_back({.node = node,
                     .first_asked = static_cast<int>(asked_.size()),
                     .sent_at = sent_at,
                     .overdue_at = overdue_at});
  return static_cast<int>(frames_.size()) - 1;
}

void InFlightBatch::AskPartial(int first_pick) {
  const int s = picks_[static_cast<size_t>(first_pick)].segment;
  const SegmentState& segment = segments_[static_cast<size_t>(s)];
  MESH_DCHECK(segment.first_pick == first_pick);
  Ask({.segment = s}, first_pick, segment.num_picks);
}

void InFlightBatch::AskRow(int pick) {
  Ask({.segment = picks_[static_cast<size_t>(pick)].segment, .pick = pick},
      pick, 1);
}

void InFlightBatch::Ask(const Asked& asked, int first_pick, int num_picks) {
  SentFrame& sent = frames_.back();
  asked_.push_back(asked);
  ++sent.num_asked;
  sent.num_picks += num_picks;
  for (int p = first_pick; p < first_pick + num_picks; ++p) {
    Pick& pick = picks_[static_cast<size_t>(p)];
    pick.tried |=
        ReplicaBit(*placement_, topk_idx_[static_cast<size_t>(p)], sent.node);
    ++pick.num_attempts;
    ++pick.num_under_way;
    if (std::exchange(pick.due, false)) --num_due_;
  }
}

ResultRow InFlightBatch::ExpectedResult(const Asked& asked) const {
  const SegmentState& segment = segments_[static_cast<size_t>(asked.segment)];
  const WorkId& work = work_[static_cast<size_t>(segment.row)];
  if (asked.pick < 0) {
    return {work, ResultRow::Kind::kPartial,
            static_cast<uint16_t>(segment.group)};
  }
  return {work, ResultRow::Kind::kExpertRow,
          topk_idx_[static_cast<size_t>(asked.pick)].value};
}

absl::StatusOr<int> InFlightBatch::Accept(SentFrame& sent,
                                          const CombineView& view,
                                          Frame frame) {
  if (view.NumRows() != sent.num_asked || view.Header().layer != layer_) {
    return absl::InvalidArgumentError("answer: wrong layer or number of rows");
  }
  const auto asked_at = [&](int r) -> const Asked& {
    const int index = sent.first_asked + r;
    return asked_[static_cast<size_t>(index)];
  };
  for (int r = 0; r < sent.num_asked; ++r) {
    if (view.ResultAt(r) != ExpectedResult(asked_at(r))) {
      return absl::InvalidArgumentError("answer: a row that was not asked for");
    }
  }
  int num_taken = 0;
  for (int r = 0; r < sent.num_asked; ++r) {
    if (TakeRow(asked_at(r), view.RowData(r))) ++num_taken;
  }
  if (num_taken > 0) answers_.push_back(std::move(frame));
  Close(sent);
  return num_taken;
}

bool InFlightBatch::TakeRow(const Asked& asked, const std::byte* row) {
  SegmentState& segment = segments_[static_cast<size_t>(asked.segment)];
  if (segment.Complete()) return false;
  int first = segment.first_pick;
  int count = segment.num_picks;
  if (asked.pick < 0) {
    segment.partial = row;
  } else {
    Pick& pick = picks_[static_cast<size_t>(asked.pick)];
    if (pick.row != nullptr) return false;
    pick.row = row;
    --segment.num_missing;
    first = asked.pick;
    count = 1;
  }
  for (int p = first; p < first + count; ++p) {
    if (std::exchange(picks_[static_cast<size_t>(p)].due, false)) --num_due_;
  }
  if (segment.Complete()) --num_open_segments_;
  return true;
}

template <typename Visit>
void InFlightBatch::ForEachPick(const SentFrame& sent, Visit visit) const {
  const int end = sent.first_asked + sent.num_asked;
  for (int a = sent.first_asked; a < end; ++a) {
    const Asked& asked = asked_[static_cast<size_t>(a)];
    const SegmentState& segment = segments_[static_cast<size_t>(asked.segment)];
    const int first = asked.pick < 0 ? segment.first_pick : asked.pick;
    const int count = asked.pick < 0 ? segment.num_picks : 1;
    for (int p = first; p < first + count; ++p) visit(p);
  }
}

bool InFlightBatch::CanBeDue(int p) const {
  const Pick& pick = picks_[static_cast<size_t>(p)];
  return !pick.due && pick.row == nullptr &&
         !segments_[static_cast<size_t>(pick.segment)].Complete();
}

void InFlightBatch::SetDue(int p) {
  if (!CanBeDue(p)) return;
  picks_[static_cast<size_t>(p)].due = true;
  ++num_due_;
}

void InFlightBatch::Close(SentFrame& sent) {
  MESH_DCHECK(!sent.closed);
  sent.closed = true;
  ForEachPick(sent, [&](int p) {
    if (--picks_[static_cast<size_t>(p)].num_under_way == 0) SetDue(p);
  });
}

bool InFlightBatch::IsWanted(const SentFrame& sent) const {
  bool wanted = false;
  ForEachPick(sent, [&](int p) { wanted |= CanBeDue(p); });
  return wanted;
}

void InFlightBatch::MakeDue(SentFrame& sent) {
  ForEachPick(sent, [&](int p) { SetDue(p); });
}

bool InFlightBatch::SetNotHolding(const SentFrame& sent, ExpertId expert) {
  if (expert.value >= placement_->NumExperts()) return false;
  // None if a later table does not give it the expert.
  const uint32_t bit = ReplicaBit(*placement_, expert, sent.node);
  bool asked = false;
  ForEachPick(sent, [&](int p) {
    if (topk_idx_[static_cast<size_t>(p)] == expert) {
      picks_[static_cast<size_t>(p)].not_holding |= bit;
      asked = true;
    }
  });
  return asked;
}

void InFlightBatch::WriteSum(MatrixView<float> out) {
  MESH_DCHECK(Complete());
  sum_.resize(static_cast<size_t>(hidden_.cols));
  partial_.resize(hidden_.stride_bytes);
  for (int r = 0; r < out.Rows(); ++r) {
    std::fill(out.Row(r).begin(), out.Row(r).end(), 0.0F);
  }
  for (const SegmentState& segment : segments_) {
    const std::byte* partial = segment.partial;
    if (partial == nullptr) {
      weighted_.clear();
      for (int p = segment.first_pick;
           p < segment.first_pick + segment.num_picks; ++p) {
        const size_t i = static_cast<size_t>(p);
        weighted_.push_back({picks_[i].row, topk_weights_[i]});
      }
      WeightedSum(weighted_, hidden_.dtype, sum_, partial_.data());
      partial = partial_.data();
    }
    AddPartial(partial, hidden_.dtype, out.Row(segment.row));
  }
}

}  // namespace mesh::router
