// SPDX-License-Identifier: Apache-2.0
#include "router/encode_dispatch.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "router/transport/frame_writer.h"

namespace mesh::router {
namespace {

template <typename T>
const T& At(const std::vector<T>& items, int i) {
  return items[static_cast<size_t>(i)];
}

}  // namespace

uint32_t RemainingMicros(absl::Duration remaining) {
  const int64_t micros = absl::ToInt64Microseconds(remaining);
  return static_cast<uint32_t>(
      std::clamp<int64_t>(micros, 0, std::numeric_limits<uint32_t>::max()));
}

void EncodeDispatch(const InFlightBatch& batch, const DestinationPlan& plan,
                    const FrameSpan& span, const FrameHeader& header,
                    std::span<std::byte> frame) {
  DispatchWriter writer(header, frame);
  for (int i = 0; i < span.num_rows; ++i) {
    const int row = At(plan.rows, span.first_row + i);
    writer.SetRow(i, batch.WorkOf(row), batch.Hidden().RowData(row));
  }
  for (int i = 0; i < span.num_segments; ++i) {
    const PlannedSegment& segment = At(plan.segments, span.first_segment + i);
    writer.SetSegment(
        i, {.row = static_cast<uint32_t>(segment.row_slot - span.first_row),
            .group = static_cast<uint16_t>(segment.group),
            .num_items = static_cast<uint16_t>(segment.num_picks),
            .partial = segment.partial});
  }
  for (int i = 0; i < span.num_picks; ++i) {
    const int pick = At(plan.picks, span.first_pick + i);
    writer.SetItem(i, {.expert = batch.TopkIdx()[static_cast<size_t>(pick)],
                       .weight = batch.WeightOf(pick)});
  }
  writer.Finish();
}

int NumAttempts(const InFlightBatch& batch, const DestinationPlan& plan,
                const FrameSpan& span) {
  int attempts = 0;
  for (int i = span.first_pick; i < span.first_pick + span.num_picks; ++i) {
    attempts = std::max(attempts, batch.NumAttempts(At(plan.picks, i)));
  }
  return attempts;
}

void RecordDispatch(const DestinationPlan& plan, const FrameSpan& span,
                    NodeId node, absl::Time sent_at, absl::Time overdue_at,
                    InFlightBatch& batch) {
  batch.AddFrame(node, sent_at, overdue_at);
  for (int s = span.first_segment; s < span.first_segment + span.num_segments;
       ++s) {
    const PlannedSegment& segment = At(plan.segments, s);
    const auto pick_at = [&](int i) {
      return At(plan.picks, segment.first_pick + i);
    };
    if (segment.partial) {
      batch.AskPartial(pick_at(0));
      continue;
    }
    for (int i = 0; i < segment.num_picks; ++i) batch.AskRow(pick_at(i));
  }
}

}  // namespace mesh::router
