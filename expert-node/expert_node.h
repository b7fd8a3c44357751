// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/clock.h"
#include "core/ids.h"
#include "expert-node/expert_shard.h"
#include "expert-node/micro_batcher.h"
#include "router/combine.h"
#include "router/transport/transport.h"
#include "router/transport/wire_format.h"

namespace mesh::expert {

// Exact since the start.
struct ExpertNodeCounters {
  int64_t frames_answered = 0;
  int64_t rows_computed = 0;  // (row, expert) pairs
  int64_t batches = 0;        // merged batches
  int64_t not_held = 0;       // frames answered so
  int64_t overloaded = 0;     // frames answered so
  int64_t expired = 0;        // frames whose sender had given up
  int64_t dropped_corrupt = 0;
};

// The data plane of an expert node: takes dispatch frames, answers each with
// its experts' rows. It has no state that an answer depends on but the weights,
// so any replica can answer, any number of times.
// Owned by the data-plane thread, as is the transport.
class ExpertNode final : private router::FrameHandler {
 public:
  struct Options {
    router::WireLimits wire;
    // Frames beyond either are answered kOverloaded.
    int max_waiting_frames = 1024;
    size_t max_waiting_bytes = size_t{1} << 30;
    // Items of one merged batch; a larger frame is computed alone.
    int max_batch_items = 8192;
    // Hears of every merged batch: its items and how long they took. On the
    // data-plane thread; may be empty.
    std::function<void(int num_items, absl::Duration taken)> on_batch = nullptr;
  };

  // `shard`, `transport` and `clock` must outlive the node.
  // Errors: kInvalidArgument if an option makes no sense, or if the shard is
  // of another hidden size or dtype than `wire`.
  static absl::StatusOr<std::unique_ptr<ExpertNode>> Create(
      const Options& options, ExpertShard& shard, router::Transport& transport,
      const Clock& clock);

  // The loop's body: takes what has arrived, computes it, answers. Never waits.
  // Returns the number of frames taken.
  int Poll();

  const ExpertNodeCounters& Counters() const { return counters_; }

 private:
  struct Waiting {
    PeerId from;
    router::Frame frame;
    router::DispatchView view;
    absl::Time expires;
  };

  struct Refused {
    PeerId from;
    router::FrameHeader header;
  };

  ExpertNode(const Options& options, ExpertShard& shard,
             router::Transport& transport, const Clock& clock);

  void OnFrame(PeerId from, router::Frame frame) override;
  void OnPeerLost(PeerId peer, const absl::Status& reason) override;

  // Drops the waiting frames that `gone`, called once for each, is true of.
  void Forget(absl::FunctionRef<bool(const Waiting&)> gone);
  // Drops what is expired and answers what needs no computing.
  void Screen();
  // Computes and answers the first waiting frame and all that can join it.
  void ServeBatch();
  void AnswerRows(const Waiting& waiting, int frame, const RowsView& rows);
  void AnswerStatus(PeerId to, const router::FrameHeader& header,
                    router::StatusCode code);
  // Experts of the frame that the node lacks, into `missing_`.
  void FindMissing(const router::DispatchView& view);

  const Options options_;
  ExpertShard& shard_;
  router::Transport& transport_;
  const Clock& clock_;
  ExpertNodeCounters counters_;
  std::vector<Waiting> waiting_;  // in the order of arrival
  size_t waiting_bytes_ = 0;      // of their frames
  std::vector<Refused> refused_;  // to be answered after the poll

  // Scratch, kept for its memory.
  MicroBatcher batcher_;
  std::vector<size_t> joined_;
  std::vector<const router::DispatchView*> views_;
  std::vector<ExpertId> missing_;
  std::vector<router::WeightedRow> weighted_;
  std::vector<float> sum_;
};

}  // namespace mesh::expert
