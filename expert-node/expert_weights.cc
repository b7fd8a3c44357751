// SPDX-License-Identifier: Apache-2.0
#include "expert-node/expert_weights.h"

#include <span>
#include <utility>

#include "absl/strings/str_format.h"
#include "core/status_macros.h"

namespace mesh::expert {
namespace {

void Add(const WeightView& weight, DigestBuilder& digest) {
  const size_t rows = static_cast<size_t>(weight.rows);
  const size_t cols = static_cast<size_t>(weight.cols);
  digest.Update({weight.data, rows * cols * SizeOf(weight.dtype)});
  if (weight.dtype != DType::kF8E4m3) return;
  const size_t block_rows = static_cast<size_t>(weight.block_rows);
  const size_t block_cols = static_cast<size_t>(weight.block_cols);
  const size_t num_scales = ((rows + block_rows - 1) / block_rows) *
                            ((cols + block_cols - 1) / block_cols);
  digest.Update(std::as_bytes(std::span(weight.scales, num_scales)));
}

}  // namespace

absl::StatusOr<std::shared_ptr<const ExpertWeights>> ExpertWeights::Pack(
    const kernels::Kernels& kernels, const WeightView& gate,
    const WeightView& up, const WeightView& down) {
  if (gate.rows != up.rows || gate.cols != up.cols || down.rows != gate.cols ||
      down.cols != gate.rows) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "expert: gate [%d, %d], up [%d, %d] and down [%d, %d] do not fit",
        gate.rows, gate.cols, up.rows, up.cols, down.rows, down.cols));
  }
  const auto pack = [&](const WeightView& weight) {
    return kernels::PackedMatrix::Pack(weight,
                                       kernels.WeightDType(weight.dtype));
  };
  std::shared_ptr<ExpertWeights> weights(new ExpertWeights);
  ASSIGN_OR_RETURN(weights->gate_, pack(gate));
  ASSIGN_OR_RETURN(weights->up_, pack(up));
  ASSIGN_OR_RETURN(weights->down_, pack(down));
  DigestBuilder digest;
  for (const WeightView* weight : {&gate, &up, &down}) Add(*weight, digest);
  weights->source_digest_ = digest.Finish();
  return std::shared_ptr<const ExpertWeights>(std::move(weights));
}

size_t ExpertWeights::SizeBytes() const {
  return gate_.SizeBytes() + up_.SizeBytes() + down_.SizeBytes();
}

}  // namespace mesh::expert
