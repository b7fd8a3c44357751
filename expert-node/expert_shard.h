// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/digest.h"
#include "core/dtype.h"
#include "core/ids.h"
#include "core/matrix_view.h"
#include "core/mutex.h"
#include "core/rows_view.h"
#include "core/thread_pool.h"
#include "expert-node/expert_weights.h"
#include "kernels/activations.h"
#include "kernels/kernels.h"
#include "router/placement/placement.h"

namespace mesh::expert {

// Rows for several experts of one layer, sorted by expert. The rows of
// experts[i] are [offsets[i], offsets[i + 1]); a group may be empty.
struct ExpertBatch {
  LayerId layer;
  std::span<const ExpertId> experts = {};  // [num_groups], ascending
  std::span<const int> offsets;            // [num_groups + 1], offsets[0] == 0
  RowsView hidden;  // [num_rows, hidden_size], wire dtype
};

// The routed experts that this node hosts.
//
// Load(), Unload() and Holds() are thread-safe, also while Forward() runs: a
// batch keeps the weights it started with. Forward() belongs to one thread.
class ExpertShard {
 public:
  // `pool` must outlive the shard; only Forward() uses it.
  ExpertShard(const kernels::Kernels& kernels, ThreadPool& pool,
              int hidden_size);

  // Makes an expert resident. Errors: kAlreadyExists; kInvalidArgument if it
  // is of another hidden size, or of another width than the resident ones.
  absl::Status Load(LayerId layer, ExpertId expert,
                    const std::shared_ptr<const ExpertWeights>& weights);
  // Errors: kNotFound if the expert is not resident.
  absl::Status Unload(LayerId layer, ExpertId expert);
  bool Holds(LayerId layer, ExpertId expert) const;
  int NumExperts() const;
  size_t SizeBytes() const;  // of the resident weights

  struct Holding {
    router::ExpertKey key;
    Digest digest;  // ExpertWeights::SourceDigest()
    size_t size_bytes = 0;
  };
  std::vector<Holding> Holdings() const;  // ascending by key

  int HiddenSize() const { return hidden_size_; }
  DType WireDType() const { return kernels_.ActivationDType(); }

  // row_e of the canonical combine (router/combine.h): the rows of
  // down(silu(gate(x)) * up(x)), rounded to the wire dtype; the product before
  // `down` is rounded to the activations' dtype. A row's bits do not depend on
  // the rows beside it. Returns [num_rows, hidden_size] in the wire
  // dtype, valid until the next call. The thread holds a ScopedFlushDenormals.
  // Errors: kInvalidArgument if the shapes disagree; kFailedPrecondition if an
  // expert is not resident.
  absl::StatusOr<RowsView> Forward(const ExpertBatch& batch);

 private:
  using Weights = std::shared_ptr<const ExpertWeights>;

  absl::Status CheckShapes(const ExpertBatch& batch) const;
  absl::Status PinWeights(const ExpertBatch& batch);
  // silu(gate(x)) * up(x) of all rows: [num_rows, moe_intermediate_size].
  RowsView GateAndUp(const ExpertBatch& batch);
  RowsView Down(const ExpertBatch& batch, const RowsView& product);
  // Rounds to the activations' dtype, in parallel.
  RowsView Round(MatrixView<const float> x, kernels::ActivationBuffer& buffer);

  const kernels::Kernels kernels_;
  ThreadPool& pool_;
  const int hidden_size_;

  mutable Mutex mutex_;
  absl::flat_hash_map<router::ExpertKey, Weights> resident_
      ABSL_GUARDED_BY(mutex_);

  // Of Forward(), kept for its memory.
  std::vector<Weights> pinned_;
  std::vector<kernels::GemmTask> tasks_;
  std::vector<float> gate_;
  std::vector<float> up_;
  std::vector<float> down_;
  kernels::ActivationBuffer product_;
  kernels::ActivationBuffer output_;
};

}  // namespace mesh::expert
