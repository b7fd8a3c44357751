// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "attention-node/attention_weights.h"
#include "attention-node/compute.h"
#include "attention-node/forward_trace.h"
#include "attention-node/latent_kv_cache.h"
#include "attention-node/mla_layer.h"
#include "attention-node/mlp.h"
#include "attention-node/moe_layer.h"
#include "attention-node/routing_table.h"
#include "attention-node/step_batch.h"
#include "attention-node/step_rows.h"
#include "core/clock.h"
#include "core/matrix_view.h"
#include "core/thread_pool.h"
#include "kernels/kernels.h"
#include "router/routed_batch.h"

namespace mesh::attention {

// The forward pass of a DeepSeek-V3-style model.
//
// The residual stream is float32 in every numerics class; values are rounded
// only where they enter products, the cache or the wire. Each row's result
// depends on its own sequence alone: not on the rows beside it, nor on how its
// tokens were cut into steps (docs/numerics.md). Buffers are reused, so a warm
// step allocates nothing. Owned by the engine thread.
class Transformer final : public ForwardPass {
 public:
  // Not owned but the weights; outlive the transformer.
  struct Parts {
    std::shared_ptr<const AttentionWeights> weights;
    Compute compute;  // with the kernels that the weights were loaded for
    LatentKvCache& cache;
    router::ExpertDispatch& dispatch;
    const Clock& clock;
    ForwardTrace* trace = nullptr;
  };

  // Errors: kInvalidArgument if the cache is not as CacheOptions says.
  static absl::StatusOr<std::unique_ptr<Transformer>> Create(
      const Parts& parts);

  // Options of the cache that a transformer needs; sizes left to the caller.
  static LatentKvCache::Options CacheOptions(
      const model::DeepseekConfig& config, const kernels::Kernels& kernels);

  // Errors: those of ExpertDispatch; kInvalidArgument for a token id or a
  // position that the model does not have.
  absl::Status Forward(const StepBatch& batch,
                       MatrixView<float> logits) override;

  // As MoeLayer says.
  absl::Duration GateTime() const { return moe_.GateTime(); }

 private:
  explicit Transformer(const Parts& parts);

  absl::Status CheckRows() const;
  void Embed(MatrixView<float> hidden);
  absl::Status FeedForward(LayerId layer, MatrixView<float> hidden);
  void Trace(int num_layers, MatrixView<const float> hidden);
  void ComputeLogits(MatrixView<const float> hidden, MatrixView<float> logits);

  const std::shared_ptr<const AttentionWeights> weights_;
  const Compute compute_;
  ForwardTrace* const trace_;
  const RoutingTable default_routing_;
  MlaLayer mla_;
  Mlp mlp_;
  MoeLayer moe_;
  StepRows rows_;
  FloatBuffer hidden_;    // [num_rows, hidden_size], the residual stream
  FloatBuffer selected_;  // [num_logits, hidden_size]
  NormBuffer normed_;
};

}  // namespace mesh::attention
