// SPDX-License-Identifier: Apache-2.0
#include "expert-node/expert_node.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "absl/strings/str_format.h"
#include "core/check.h"
#include "core/flush_denormals.h"
#include "core/status_macros.h"
#include "router/combine.h"
#include "router/transport/frame_writer.h"

namespace mesh::expert {

using router::DispatchView;
using router::Frame;
using router::FrameHeader;
using router::FrameKind;
using router::StatusCode;

absl::StatusOr<std::unique_ptr<ExpertNode>> ExpertNode::Create(
    const Options& options, ExpertShard& shard, router::Transport& transport,
    const Clock& clock) {
  RETURN_IF_ERROR(router::CheckLimits(options.wire));
  if (options.max_waiting_frames < 1 || options.max_batch_items < 1 ||
      options.max_waiting_bytes < options.wire.max_frame_bytes) {
    return absl::InvalidArgumentError(
        "expert node: limits must be positive, and have room for a frame");
  }
  if (options.wire.hidden_size != shard.HiddenSize() ||
      options.wire.dtype != shard.WireDType()) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "expert node: rows of %d %s on the wire, %d %s in the shard",
        options.wire.hidden_size, DTypeName(options.wire.dtype),
        shard.HiddenSize(), DTypeName(shard.WireDType())));
  }
  if (options.wire.max_frame_bytes > transport.MaxFrameBytes()) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "expert node: frames of %d bytes, but the transport's end at %d",
        options.wire.max_frame_bytes, transport.MaxFrameBytes()));
  }
  return std::unique_ptr<ExpertNode>(
      new ExpertNode(options, shard, transport, clock));
}

ExpertNode::ExpertNode(const Options& options, ExpertShard& shard,
                       router::Transport& transport, const Clock& clock)
    : options_(options), shard_(shard), transport_(transport), clock_(clock) {}

int ExpertNode::Poll() {
  const ScopedFlushDenormals flush;
  const int num_frames = transport_.Poll(*this);
  for (Refused& refused : std::exchange(refused_, {})) {
    ++counters_.overloaded;
    AnswerStatus(refused.from, refused.header, StatusCode::kOverloaded);
  }
  while (!waiting_.empty()) {
    Screen();
    if (!waiting_.empty()) ServeBatch();
  }
  return num_frames;
}

void ExpertNode::OnFrame(PeerId from, Frame frame) {
  auto view = router::DecodeDispatch(frame->Bytes(), options_.wire);
  if (!view.ok()) {
    ++counters_.dropped_corrupt;
    return;
  }
  const size_t num_bytes = frame->Bytes().size();
  if (static_cast<int>(waiting_.size()) >= options_.max_waiting_frames ||
      num_bytes > options_.max_waiting_bytes - waiting_bytes_) {
    refused_.push_back({from, view->Header()});
    return;
  }
  const uint32_t remaining_us = view->Header().remaining_us;
  const absl::Time expires =
      remaining_us == std::numeric_limits<uint32_t>::max()
          ? absl::InfiniteFuture()
          : clock_.Now() + absl::Microseconds(remaining_us);
  waiting_bytes_ += num_bytes;
  waiting_.push_back({from, std::move(frame), *std::move(view), expires});
}

void ExpertNode::OnPeerLost(PeerId peer, const absl::Status& /*reason*/) {
  Forget([&](const Waiting& waiting) { return waiting.from == peer; });
}

void ExpertNode::Forget(absl::FunctionRef<bool(const Waiting&)> gone) {
  std::erase_if(waiting_, gone);
  waiting_bytes_ = 0;
  for (const Waiting& waiting : waiting_) {
    waiting_bytes_ += waiting.frame->Bytes().size();
  }
}

void ExpertNode::Screen() {
  const absl::Time now = clock_.Now();
  Forget([&](const Waiting& waiting) {
    if (now >= waiting.expires) {
      ++counters_.expired;
      return true;
    }
    FindMissing(waiting.view);
    if (missing_.empty()) return false;
    ++counters_.not_held;
    AnswerStatus(waiting.from, waiting.view.Header(), StatusCode::kNotHeld);
    return true;
  });
}

void ExpertNode::FindMissing(const DispatchView& view) {
  missing_.clear();
  for (int i = 0; i < view.NumItems(); ++i) {
    const ExpertId expert = view.ItemAt(i).expert;
    if (!shard_.Holds(view.Header().layer, expert)) missing_.push_back(expert);
  }
  std::sort(missing_.begin(), missing_.end());
  missing_.erase(std::unique(missing_.begin(), missing_.end()), missing_.end());
}

void ExpertNode::ServeBatch() {
  // Step 1: the first waiting frame and those of its layer that still fit.
  joined_.clear();
  views_.clear();
  int num_items = 0;
  for (size_t i = 0; i < waiting_.size(); ++i) {
    const DispatchView& view = waiting_[i].view;
    if (view.Header().layer != waiting_[0].view.Header().layer) continue;
    if (i > 0 && num_items + view.NumItems() > options_.max_batch_items) {
      continue;
    }
    num_items += view.NumItems();
    joined_.push_back(i);
    views_.push_back(&view);
  }

  // Step 2: compute. If an expert was unloaded just now, screen again.
  const absl::Time started = clock_.Now();
  batcher_.Merge(views_);
  const absl::StatusOr<RowsView> rows = shard_.Forward(batcher_.Batch());
  if (!rows.ok()) {
    MESH_CHECK(absl::IsFailedPrecondition(rows.status()));
    return;
  }
  ++counters_.batches;
  counters_.rows_computed += num_items;
  if (options_.on_batch) options_.on_batch(num_items, clock_.Now() - started);

  // Step 3: answer, and let the frames go.
  for (size_t f = 0; f < joined_.size(); ++f) {
    AnswerRows(waiting_[joined_[f]], static_cast<int>(f), *rows);
    waiting_[joined_[f]].frame = nullptr;
  }
  Forget([](const Waiting& waiting) { return waiting.frame == nullptr; });
}

void ExpertNode::AnswerRows(const Waiting& waiting, int frame,
                            const RowsView& rows) {
  const DispatchView& view = waiting.view;
  FrameHeader header = view.Header();
  header.kind = FrameKind::kCombine;
  header.num_rows = static_cast<uint32_t>(view.NumResultRows());
  header.num_segments = 0;
  header.num_items = 0;
  header.remaining_us = 0;
  auto answer =
      transport_.Allocate(router::CombineWriter::Layout(header).TotalBytes());
  // Without memory for the answer the sender asks again, here or elsewhere.
  if (!answer.ok()) return;
  router::CombineWriter writer(header, (*answer)->Bytes());

  const size_t row_bytes = SizeOf(rows.dtype) * static_cast<size_t>(rows.cols);
  sum_.resize(static_cast<size_t>(rows.cols));
  int item = 0;
  int result = 0;
  for (int s = 0; s < view.NumSegments(); ++s) {
    const router::Segment segment = view.SegmentAt(s);
    const router::WorkId work = view.WorkAt(static_cast<int>(segment.row));
    weighted_.clear();
    for (int i = 0; i < segment.num_items; ++i, ++item) {
      const router::Item pick = view.ItemAt(item);
      const std::byte* row = rows.RowData(batcher_.BatchRow(frame, item));
      if (segment.partial) {
        weighted_.push_back({row, pick.weight});
        continue;
      }
      std::memcpy(writer.RowData(result), row, row_bytes);
      writer.SetResult(result++, {work, router::ResultRow::Kind::kExpertRow,
                                  pick.expert.value});
    }
    if (segment.partial) {
      router::WeightedSum(weighted_, rows.dtype, sum_, writer.RowData(result));
      writer.SetResult(
          result++, {work, router::ResultRow::Kind::kPartial, segment.group});
    }
  }
  writer.Finish();
  ++counters_.frames_answered;
  // A peer that is lost meanwhile needs no answer.
  transport_.Send(waiting.from, *std::move(answer)).IgnoreError();
}

void ExpertNode::AnswerStatus(PeerId to, const FrameHeader& header,
                              StatusCode code) {
  const std::span<const ExpertId> experts =
      code == StatusCode::kNotHeld ? std::span<const ExpertId>(missing_)
                                   : std::span<const ExpertId>();
  auto answer = transport_.Allocate(router::StatusFrameBytes(experts.size()));
  if (!answer.ok()) return;
  router::WriteStatusFrame(header, code, experts, (*answer)->Bytes());
  transport_.Send(to, *std::move(answer)).IgnoreError();
}

}  // namespace mesh::expert
