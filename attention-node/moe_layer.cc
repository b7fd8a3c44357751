// SPDX-License-Identifier: Apache-2.0
#include "attention-node/moe_layer.h"

#include "core/status_macros.h"

namespace mesh::attention {

MoeLayer::MoeLayer(const model::DeepseekConfig& config, const Compute& compute,
                   router::ExpertDispatch& dispatch, Mlp& mlp,
                   const Clock& clock, ForwardTrace* trace)
    : num_topk_(config.num_experts_per_tok),
      rms_norm_eps_(config.rms_norm_eps),
      compute_(compute),
      dispatch_(dispatch),
      mlp_(mlp),
      clock_(clock),
      trace_(trace),
      gate_(config, compute) {}

absl::Status MoeLayer::Forward(LayerId layer, const LayerWeights& weights,
                               const StepRows& rows, MatrixView<float> hidden) {
  const auto [exact, rounded] = normed_.Normalize(
      compute_, hidden, weights.post_attention_norm, rms_norm_eps_);
  const absl::Time begun = clock_.Now();
  const Gate::Decision decision =
      gate_.Route(layer, exact, weights.gate, rows.routing);
  gate_time_ += clock_.Now() - begun;
  if (trace_ != nullptr) {
    trace_->OnExperts(layer, decision.topk_idx, decision.topk_weights,
                      decision.scores);
  }

  ASSIGN_OR_RETURN(const router::DispatchHandle handle,
                   dispatch_.Dispatch({.layer = layer,
                                       .num_topk = num_topk_,
                                       .hidden = rounded,
                                       .topk_idx = decision.topk_idx,
                                       .topk_weights = decision.topk_weights,
                                       .work = rows.work}));
  MatrixView<const float> shared;
  if (!weights.mlp.IsEmpty()) shared = mlp_.Forward(weights.mlp, rounded);

  // The shared expert joins last (docs/numerics.md).
  const MatrixView<float> output = output_.Resize(hidden.Rows(), hidden.Cols());
  RETURN_IF_ERROR(dispatch_.Combine(handle, output));
  if (!weights.mlp.IsEmpty()) AddRows(compute_, shared, output);
  AddRows(compute_, output, hidden);
  return absl::OkStatus();
}

}  // namespace mesh::attention
