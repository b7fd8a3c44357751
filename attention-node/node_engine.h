// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>

#include "absl/status/statusor.h"
#include "attention-node/attention_weights.h"
#include "attention-node/engine.h"
#include "attention-node/engine_model.h"
#include "attention-node/forward_trace.h"
#include "attention-node/latent_kv_cache.h"
#include "attention-node/transformer.h"
#include "core/clock.h"
#include "core/thread_pool.h"
#include "kernels/kernels.h"
#include "model/checkpoint.h"
#include "model/deepseek_config.h"
#include "router/routed_batch.h"
#include "router/transport/wire_format.h"

namespace mesh::attention {

// Frames of a model that computes with these kernels.
router::WireLimits WireLimitsOf(const model::DeepseekConfig& config,
                                const kernels::Kernels& kernels);

// An engine with all that it owns: cache, forward pass, what it knows of its
// model. The experts' side is the caller's. Threads: as Engine says.
class NodeEngine {
 public:
  struct Options {
    int block_size = 64;  // tokens of a KV block
    // Memory for latent KV; 0: enough for max_running_sequences full contexts,
    // but at most 1 GiB.
    size_t kv_bytes = 0;
    StepLimits limits = {};
    bool prefix_cache = true;  // as Engine::Options says
    EngineInbox::Limits inbox = {};
    // Sees what forward passes compute. Not owned; may be null.
    ForwardTrace* trace = nullptr;
  };
  // Not owned but the weights; outlive the engine.
  struct Parts {
    const model::Checkpoint& checkpoint;
    const kernels::Kernels& kernels;
    std::shared_ptr<const AttentionWeights> weights;
    ThreadPool& pool;
    router::ExpertDispatch& dispatch;
    const Clock& clock;
  };

  // Bytes of latent KV that an engine of these options takes.
  static size_t KvBytes(const Options& options,
                        const model::DeepseekConfig& config,
                        const kernels::Kernels& kernels);

  // Errors: those of LatentKvCache, Transformer and Engine.
  static absl::StatusOr<std::unique_ptr<NodeEngine>> Create(
      const Options& options, const Parts& parts);

  attention::Engine& Engine() { return *engine_; }
  attention::Transformer& Transformer() { return *transformer_; }
  const EngineModel& Model() const { return model_; }

 private:
  NodeEngine() = default;

  std::unique_ptr<LatentKvCache> cache_;
  std::unique_ptr<attention::Transformer> transformer_;
  EngineModel model_;
  std::unique_ptr<attention::Engine> engine_;
};

}  // namespace mesh::attention
