// SPDX-License-Identifier: Apache-2.0
#include "expert-node/expert_shard.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "core/status_macros.h"
#include "kernels/silu_mul.h"

namespace mesh::expert {
namespace {

// [rows, cols] over memory that grows and never shrinks.
MatrixView<float> Grow(std::vector<float>& memory, int rows, int cols) {
  const size_t size = static_cast<size_t>(rows) * static_cast<size_t>(cols);
  if (memory.size() < size) memory.resize(size);
  return {memory.data(), rows, cols};
}

}  // namespace

ExpertShard::ExpertShard(const kernels::Kernels& kernels, ThreadPool& pool,
                         int hidden_size)
    : kernels_(kernels), pool_(pool), hidden_size_(hidden_size) {}

absl::Status ExpertShard::Load(LayerId layer, ExpertId expert,
                               const Weights& weights) {
  if (weights == nullptr || weights->HiddenSize() != hidden_size_) {
    return absl::InvalidArgumentError(
        absl::StrFormat("expert %d of layer %d: not of hidden size %d",
                        expert.value, layer.value, hidden_size_));
  }
  MutexLock lock(mutex_);
  if (!resident_.empty() && resident_.begin()->second->IntermediateSize() !=
                                weights->IntermediateSize()) {
    return absl::InvalidArgumentError(
        absl::StrFormat("expert %d of layer %d: of another width than the rest",
                        expert.value, layer.value));
  }
  if (!resident_.emplace(router::ExpertKey{layer, expert}, weights).second) {
    return absl::AlreadyExistsError(absl::StrFormat(
        "expert %d of layer %d is resident", expert.value, layer.value));
  }
  return absl::OkStatus();
}

absl::Status ExpertShard::Unload(LayerId layer, ExpertId expert) {
  MutexLock lock(mutex_);
  if (resident_.erase(router::ExpertKey{layer, expert}) == 0) {
    return absl::NotFoundError(absl::StrFormat(
        "expert %d of layer %d is not resident", expert.value, layer.value));
  }
  return absl::OkStatus();
}

bool ExpertShard::Holds(LayerId layer, ExpertId expert) const {
  MutexLock lock(mutex_);
  return resident_.contains(router::ExpertKey{layer, expert});
}

int ExpertShard::NumExperts() const {
  MutexLock lock(mutex_);
  return static_cast<int>(resident_.size());
}

size_t ExpertShard::SizeBytes() const {
  MutexLock lock(mutex_);
  size_t size = 0;
  for (const auto& [key, weights] : resident_) size += weights->SizeBytes();
  return size;
}

std::vector<ExpertShard::Holding> ExpertShard::Holdings() const {
  std::vector<Holding> holdings;
  {
    MutexLock lock(mutex_);
    holdings.reserve(resident_.size());
    for (const auto& [key, weights] : resident_) {
      holdings.push_back({key, weights->SourceDigest(), weights->SizeBytes()});
    }
  }
  std::sort(holdings.begin(), holdings.end(),
            [](const Holding& a, const Holding& b) { return a.key < b.key; });
  return holdings;
}

absl::Status ExpertShard::CheckShapes(const ExpertBatch& batch) const {
  const bool sound =
      batch.offsets.size() == batch.experts.size() + 1 &&
      batch.offsets.front() == 0 && batch.offsets.back() == batch.hidden.rows &&
      std::is_sorted(batch.offsets.begin(), batch.offsets.end()) &&
      batch.hidden.cols == hidden_size_ &&
      batch.hidden.dtype == kernels_.ActivationDType();
  if (sound) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrFormat(
      "expert batch: %d experts, %d offsets, rows [%d, %d] of %s",
      batch.experts.size(), batch.offsets.size(), batch.hidden.rows,
      batch.hidden.cols, DTypeName(batch.hidden.dtype)));
}

absl::Status ExpertShard::PinWeights(const ExpertBatch& batch) {
  pinned_.clear();
  MutexLock lock(mutex_);
  for (const ExpertId expert : batch.experts) {
    const auto found = resident_.find(router::ExpertKey{batch.layer, expert});
    if (found == resident_.end()) {
      pinned_.clear();
      return absl::FailedPreconditionError(
          absl::StrFormat("expert %d of layer %d is not resident", expert.value,
                          batch.layer.value));
    }
    pinned_.push_back(found->second);
  }
  return absl::OkStatus();
}

absl::StatusOr<RowsView> ExpertShard::Forward(const ExpertBatch& batch) {
  RETURN_IF_ERROR(CheckShapes(batch));
  RETURN_IF_ERROR(PinWeights(batch));
  const RowsView product = GateAndUp(batch);
  const RowsView output = Down(batch, product);
  pinned_.clear();
  return output;
}

RowsView ExpertShard::GateAndUp(const ExpertBatch& batch) {
  const int num_rows = batch.hidden.rows;
  const int width = pinned_.empty() ? 0 : pinned_[0]->IntermediateSize();
  const MatrixView<float> gate = Grow(gate_, num_rows, width);
  const MatrixView<float> up = Grow(up_, num_rows, width);
  tasks_.clear();
  for (size_t i = 0; i < pinned_.size(); ++i) {
    const int first = batch.offsets[i];
    const int count = batch.offsets[i + 1] - first;
    if (count == 0) continue;
    const RowsView x = batch.hidden.Slice(first, count);
    tasks_.push_back({x, &pinned_[i]->Gate(), gate.Slice(first, count)});
    tasks_.push_back({x, &pinned_[i]->Up(), up.Slice(first, count)});
  }
  kernels_.GroupedGemm(pool_, tasks_);
  pool_.ParallelFor(num_rows, [&](int r) {
    kernels::SiluMul(gate.Row(r), up.Row(r), gate.Row(r));
  });
  return Round(gate, product_);
}

RowsView ExpertShard::Down(const ExpertBatch& batch, const RowsView& product) {
  const MatrixView<float> down = Grow(down_, batch.hidden.rows, hidden_size_);
  tasks_.clear();
  for (size_t i = 0; i < pinned_.size(); ++i) {
    const int first = batch.offsets[i];
    const int count = batch.offsets[i + 1] - first;
    if (count == 0) continue;
    tasks_.push_back({product.Slice(first, count), &pinned_[i]->Down(),
                      down.Slice(first, count)});
  }
  kernels_.GroupedGemm(pool_, tasks_);
  return Round(down, output_);
}

RowsView ExpertShard::Round(MatrixView<const float> x,
                            kernels::ActivationBuffer& buffer) {
  const RowsView rounded = buffer.Resize(WireDType(), x.Rows(), x.Cols());
  pool_.ParallelFor(x.Rows(), [&](int r) {
    kernels::RoundRows(x.Slice(r, 1), rounded.dtype, buffer.MutableRow(r),
                       rounded.stride_bytes);
  });
  return rounded;
}

}  // namespace mesh::expert
