// SPDX-License-Identifier: Apache-2.0
#include "attention-node/transformer.h"

#include <algorithm>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "core/check.h"
#include "core/flush_denormals.h"
#include "core/status_macros.h"

namespace mesh::attention {

absl::StatusOr<std::unique_ptr<Transformer>> Transformer::Create(
    const Parts& parts) {
  const LatentKvCache::Options& got = parts.cache.GetOptions();
  const LatentKvCache::Options want =
      CacheOptions(parts.weights->config, parts.compute.kernels);
  if (got.dtype != want.dtype || got.num_layers != want.num_layers ||
      got.row_elements != want.row_elements) {
    return absl::InvalidArgumentError(
        absl::StrCat("latent KV cache: got ", got.num_layers, " layers of ",
                     got.row_elements, " ", DTypeName(got.dtype), ", expected ",
                     want.num_layers, " of ", want.row_elements, " ",
                     DTypeName(want.dtype)));
  }
  return absl::WrapUnique(new Transformer(parts));
}

Transformer::Transformer(const Parts& parts)
    : weights_(parts.weights),
      compute_(parts.compute),
      trace_(parts.trace),
      default_routing_(weights_->CheckpointRouting()),
      mla_(weights_->config, compute_, parts.cache),
      mlp_(compute_),
      moe_(weights_->config, compute_, parts.dispatch, mlp_, parts.clock,
           trace_) {}

LatentKvCache::Options Transformer::CacheOptions(
    const model::DeepseekConfig& config, const kernels::Kernels& kernels) {
  return {.dtype = kernels.ActivationDType(),
          .num_layers = config.num_hidden_layers,
          .row_elements = config.kv_lora_rank + config.qk_rope_head_dim};
}

absl::Status Transformer::Forward(const StepBatch& batch,
                                  MatrixView<float> logits) {
  const ScopedFlushDenormals flush;
  rows_.Assign(batch, default_routing_);
  RETURN_IF_ERROR(CheckRows());
  if (trace_ != nullptr) trace_->OnStep(batch);

  const MatrixView<float> hidden =
      hidden_.Resize(rows_.NumRows(), weights_->config.hidden_size);
  Embed(hidden);
  Trace(0, hidden);
  for (int i = 0; i < weights_->config.num_hidden_layers; ++i) {
    const LayerId layer{static_cast<uint16_t>(i)};
    mla_.Forward(layer, weights_->layers[layer.value].attention, rows_, hidden);
    RETURN_IF_ERROR(FeedForward(layer, hidden));
    Trace(i + 1, hidden);
  }
  ComputeLogits(hidden, logits);
  return absl::OkStatus();
}

void Transformer::Embed(MatrixView<float> hidden) {
  const WeightView embedding = weights_->embedding.View();
  compute_.pool->ParallelFor(hidden.Rows(), [&](int row) {
    const TokenId token = rows_.token_ids[static_cast<size_t>(row)];
    for (int i = 0; i < hidden.Cols(); ++i) {
      hidden(row, i) = embedding.At(token, i);
    }
  });
}

absl::Status Transformer::FeedForward(LayerId layer, MatrixView<float> hidden) {
  const LayerWeights& weights = weights_->layers[layer.value];
  if (weights_->config.IsMoeLayer(layer.value)) {
    return moe_.Forward(layer, weights, rows_, hidden);
  }
  const RowsView x =
      normed_
          .Normalize(compute_, hidden, weights.post_attention_norm,
                     weights_->config.rms_norm_eps)
          .rounded;
  AddRows(compute_, mlp_.Forward(weights.mlp, x), hidden);
  return absl::OkStatus();
}

void Transformer::ComputeLogits(MatrixView<const float> hidden,
                                MatrixView<float> logits) {
  const int num_logits = static_cast<int>(rows_.logit_rows.size());
  MESH_CHECK(logits.Rows() == num_logits);
  if (num_logits == 0) return;
  const MatrixView<float> selected =
      selected_.Resize(num_logits, hidden.Cols());
  for (int i = 0; i < num_logits; ++i) {
    const int row = rows_.logit_rows[static_cast<size_t>(i)];
    std::ranges::copy(hidden.Row(row), selected.RowData(i));
  }
  const RowsView x = normed_
                         .Normalize(compute_, selected, weights_->final_norm,
                                    weights_->config.rms_norm_eps)
                         .rounded;
  compute_.kernels.Gemm(*compute_.pool, x, weights_->head, logits);
}

absl::Status Transformer::CheckRows() const {
  const model::DeepseekConfig& config = weights_->config;
  for (const TokenId token : rows_.token_ids) {
    if (token >= 0 && token < config.vocab_size) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "token id ", token, ", expected 0 to ", config.vocab_size - 1));
  }
  for (const int position : rows_.positions) {
    if (position < mla_.NumPositions()) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "position ", position, ", expected at most ", mla_.NumPositions() - 1));
  }
  return absl::OkStatus();
}

void Transformer::Trace(int num_layers, MatrixView<const float> hidden) {
  if (trace_ != nullptr) trace_->OnHidden(num_layers, hidden);
}

}  // namespace mesh::attention
