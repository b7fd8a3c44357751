// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "absl/time/time.h"
#include "router/dispatch_plan.h"
#include "router/in_flight_batch.h"
#include "router/transport/wire_format.h"

namespace mesh::router {

// As FrameHeader::remaining_us wants it.
uint32_t RemainingMicros(absl::Duration remaining);

// Writes one frame of a plan: rows, segments and items of `span`.
// REQUIRES: the counts in `header` are those of `span`, and `frame` has the
// bytes that they need.
void EncodeDispatch(const InFlightBatch& batch, const DestinationPlan& plan,
                    const FrameSpan& span, const FrameHeader& header,
                    std::span<std::byte> frame);

// The most that any pick of the frame has been sent before.
int NumAttempts(const InFlightBatch& batch, const DestinationPlan& plan,
                const FrameSpan& span);

// Adds the frame to the batch, with what it asks for in the order of its
// answer.
void RecordDispatch(const DestinationPlan& plan, const FrameSpan& span,
                    NodeId node, absl::Time sent_at, absl::Time overdue_at,
                    InFlightBatch& batch);

}  // namespace mesh::router
