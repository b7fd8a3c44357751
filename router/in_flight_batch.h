// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/aligned_buffer.h"
#include "core/ids.h"
#include "core/matrix_view.h"
#include "core/rows_view.h"
#include "router/combine.h"
#include "router/placement/placement.h"
#include "router/routed_batch.h"
#include "router/transport/frame_buffer.h"
#include "router/transport/wire_format.h"

namespace mesh::router {

// A frame that was sent for a batch. Its rows are asked[first_asked ..].
struct SentFrame {
  NodeId node;
  int first_asked = 0;
  int num_asked = 0;
  int num_picks = 0;
  absl::Time sent_at;
  absl::Time overdue_at;
  bool closed = false;   // answered, refused, or its peer is lost
  bool overdue = false;  // `overdue_at` has been noticed
  bool hedged = false;   // and its rows have been made due again
};

// A due pick that no node can take and that nothing under way will answer.
struct Orphan {
  ExpertId expert;
  absl::Time since;
  absl::Time ask_again_at;  // when nodes that said "not held" are asked again
};

// A batch between Dispatch() and the end of Combine(): its inputs, what was
// asked of whom, and the answers so far. The first valid answer of a row wins.
// Owned by the engine thread; Start() makes it as new and keeps the memory.
class InFlightBatch {
 public:
  // Copies `batch`. Errors: kResourceExhausted.
  absl::Status Start(uint64_t handle, const RoutedBatch& batch,
                     const WireLimits& wire,
                     std::shared_ptr<const Placement> placement,
                     absl::Time deadline);
  // Lets go of the answers and of the placement.
  void Finish();

  uint64_t Handle() const { return handle_; }
  LayerId Layer() const { return layer_; }
  // Time with an orphan does not count.
  absl::Time DeadlineAt(absl::Time now) const {
    return orphan_.has_value() ? deadline_ + (now - orphan_->since) : deadline_;
  }
  const Placement& Table() const { return *placement_; }
  int NumTopk() const { return num_topk_; }
  int NumPicks() const { return static_cast<int>(topk_idx_.size()); }
  std::span<const ExpertId> TopkIdx() const { return topk_idx_; }
  float WeightOf(int pick) const {
    return topk_weights_[static_cast<size_t>(pick)];
  }
  const WorkId& WorkOf(int row) const {
    return work_[static_cast<size_t>(row)];
  }
  const RowsView& Hidden() const { return hidden_; }
  // When Dispatch() was done with it.
  absl::Time SentAt() const { return sent_at_; }
  void SetSentAt(absl::Time now) { sent_at_ = now; }
  bool Complete() const { return num_open_segments_ == 0; }

  // A pick is *due* if it has to be sent: at first, and again when a frame that
  // asked for it is overdue or closed without its row.
  bool IsDue(int pick) const { return At(pick).due; }
  bool AnyDue() const { return num_due_ > 0; }
  int NumAttempts(int pick) const { return At(pick).num_attempts; }
  bool IsUnderWay(int pick) const { return At(pick).num_under_way > 0; }
  // Bits of replicas, by position in Placement::ReplicaOrdinals().
  uint32_t Tried(int pick) const { return At(pick).tried; }
  uint32_t NotHolding(int pick) const { return At(pick).not_holding; }

  // Plans what is due on another table; frames under way stay valid, but those
  // that are overdue and whose nodes it leaves out are not waited for.
  // REQUIRES: the table has the batch's layer.
  void MoveTo(std::shared_ptr<const Placement> placement);
  // Nodes that said that they lack an expert may be asked again.
  void ForgetNotHolding();

  // The batch has an orphan now, or has none.
  void SetOrphan(std::optional<ExpertId> expert, absl::Time now);
  std::optional<Orphan>& MutableOrphan() { return orphan_; }

  // When something is to be done even if nothing arrives.
  absl::Time NextEvent(absl::Time now) const;

  // Records a frame; AskPartial and AskRow then add to it, in the order of its
  // result rows. Returns its index, the low bits of its frame id.
  // REQUIRES: `node` is in the table, and hosts what is asked of it.
  int AddFrame(NodeId node, absl::Time sent_at, absl::Time overdue_at);
  void AskPartial(int first_pick);  // the group's first pick of the row
  void AskRow(int pick);
  std::span<SentFrame> Frames() { return frames_; }

  // Takes over the rows that are still missing. Returns how many there were.
  // Errors: kInvalidArgument if the answer is not what `sent` asked for.
  absl::StatusOr<int> Accept(SentFrame& sent, const CombineView& view,
                             Frame frame);
  // The frame will bring nothing; its missing picks become due unless another
  // frame is under way for them.
  void Close(SentFrame& sent);
  // Whether MakeDue() would do anything.
  bool IsWanted(const SentFrame& sent) const;
  // The frame's missing picks become due though it stays open.
  void MakeDue(SentFrame& sent);
  // The frame's node lacks `expert`. False if the frame did not ask for it.
  bool SetNotHolding(const SentFrame& sent, ExpertId expert);

  // The canonical sum (router/combine.h). REQUIRES: Complete().
  //   out  [num_rows, hidden_size]
  void WriteSum(MatrixView<float> out);

 private:
  struct Pick {
    int segment = 0;
    const std::byte* row = nullptr;  // of the answer
    bool due = false;
    int num_attempts = 0;
    int num_under_way = 0;
    uint32_t tried = 0;
    uint32_t not_holding = 0;
  };
  // All picks of a row in one routing group.
  struct SegmentState {
    int row = 0;
    int group = 0;
    int first_pick = 0;
    int num_picks = 0;
    int num_missing = 0;                 // picks without a row
    const std::byte* partial = nullptr;  // of the answer

    bool Complete() const { return partial != nullptr || num_missing == 0; }
  };
  // A result row: the partial of a segment, or the row of one pick.
  struct Asked {
    int segment = 0;
    int pick = -1;  // -1: the partial
  };

  const Pick& At(int pick) const { return picks_[static_cast<size_t>(pick)]; }
  void FindSegments(int experts_per_group);
  bool CanBeDue(int pick) const;
  void SetDue(int pick);
  // Bit of the node among the expert's replicas, 0 if it is none.
  uint32_t ReplicaBit(const Placement& placement, ExpertId expert,
                      NodeId node) const;
  void Ask(const Asked& asked, int first_pick, int num_picks);
  ResultRow ExpectedResult(const Asked& asked) const;
  bool TakeRow(const Asked& asked, const std::byte* row);
  template <typename Visit>
  void ForEachPick(const SentFrame& sent, Visit visit) const;

  uint64_t handle_ = 0;
  LayerId layer_;
  absl::Time sent_at_;
  absl::Time deadline_;
  std::shared_ptr<const Placement> placement_;
  int num_topk_ = 0;
  std::vector<ExpertId> topk_idx_;
  std::vector<float> topk_weights_;
  std::vector<WorkId> work_;
  AlignedBuffer hidden_bytes_;
  RowsView hidden_;

  std::vector<Pick> picks_;
  std::vector<SegmentState> segments_;  // by row, then group
  int num_open_segments_ = 0;
  int num_due_ = 0;
  std::optional<Orphan> orphan_;
  std::vector<SentFrame> frames_;
  std::vector<Asked> asked_;
  std::vector<Frame> answers_;

  // Scratch of WriteSum().
  std::vector<WeightedRow> weighted_;
  std::vector<float> sum_;          // [hidden_size]
  std::vector<std::byte> partial_;  // one row
};

}  // namespace mesh::router
