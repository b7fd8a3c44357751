// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "attention-node/attention_weights.h"
#include "attention-node/compute.h"
#include "attention-node/forward_trace.h"
#include "attention-node/gate.h"
#include "attention-node/mlp.h"
#include "attention-node/step_rows.h"
#include "core/clock.h"
#include "core/ids.h"
#include "core/matrix_view.h"
#include "model/deepseek_config.h"
#include "router/routed_batch.h"

namespace mesh::attention {

// The mixture of experts as the attention node sees it: gate, dispatch, the
// shared expert meanwhile, combine. Source: DeepSeek-V3 (arXiv:2412.19437),
// section 2.1.2. Owned by the engine thread.
class MoeLayer {
 public:
  // `mlp` is the transformer's own, which no other layer uses at the time.
  MoeLayer(const model::DeepseekConfig& config, const Compute& compute,
           router::ExpertDispatch& dispatch, Mlp& mlp, const Clock& clock,
           ForwardTrace* trace);

  // Adds the layer's output to the residual stream `hidden` [m, hidden_size].
  // Errors: those of ExpertDispatch; `hidden` is then unchanged.
  absl::Status Forward(LayerId layer, const LayerWeights& weights,
                       const StepRows& rows, MatrixView<float> hidden);

  // That choosing experts has taken, in all layers and steps.
  absl::Duration GateTime() const { return gate_time_; }

 private:
  const int num_topk_;
  const float rms_norm_eps_;
  const Compute compute_;
  router::ExpertDispatch& dispatch_;
  Mlp& mlp_;
  const Clock& clock_;
  ForwardTrace* const trace_;
  Gate gate_;
  absl::Duration gate_time_;
  NormBuffer normed_;   // [m, hidden_size]
  FloatBuffer output_;  // [m, hidden_size]
};

}  // namespace mesh::attention
