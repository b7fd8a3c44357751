// SPDX-License-Identifier: Apache-2.0
#include "attention-node/node_engine.h"

#include <algorithm>
#include <string>

#include "core/status_macros.h"
#include "model/model_digest.h"

namespace mesh::attention {
namespace {

constexpr size_t kMaxDefaultKvBytes = size_t{1} << 30;

LatentKvCache::Options CacheOptions(const NodeEngine::Options& options,
                                    const model::DeepseekConfig& config,
                                    const kernels::Kernels& kernels) {
  LatentKvCache::Options cache = Transformer::CacheOptions(config, kernels);
  cache.block_size = options.block_size;
  const size_t block_bytes = LatentKvCache::BlockBytes(cache);
  size_t bytes = options.kv_bytes;
  if (bytes == 0) {
    const size_t block_size = static_cast<size_t>(options.block_size);
    const size_t blocks_per_context =
        (static_cast<size_t>(config.max_position_embeddings) + block_size - 1) /
        block_size;
    bytes =
        std::min(kMaxDefaultKvBytes,
                 block_bytes * blocks_per_context *
                     static_cast<size_t>(options.limits.max_running_sequences));
  }
  cache.num_blocks = static_cast<int>(bytes / block_bytes);
  return cache;
}

EngineModel ModelOf(const model::Checkpoint& checkpoint,
                    const kernels::Kernels& kernels,
                    const AttentionWeights& weights) {
  const model::DeepseekConfig& config = checkpoint.Config();
  EngineModel model;
  model.vocab_size = config.vocab_size;
  model.max_positions = config.max_position_embeddings;
  model.eos_token_ids = checkpoint.Generation().eos_token_ids.empty()
                            ? config.eos_token_ids
                            : checkpoint.Generation().eos_token_ids;
  model.numerics = std::string(kernels.NumericsName());
  model.digest = model::ModelDigest(checkpoint);
  model.routing = std::make_shared<RoutingTable>(weights.CheckpointRouting());
  return model;
}

}  // namespace

router::WireLimits WireLimitsOf(const model::DeepseekConfig& config,
                                const kernels::Kernels& kernels) {
  router::WireLimits limits;
  limits.dtype = kernels.ActivationDType();
  limits.hidden_size = config.hidden_size;
  limits.num_layers = config.num_hidden_layers;
  limits.num_experts = config.n_routed_experts;
  limits.num_groups = config.n_group;
  return limits;
}

size_t NodeEngine::KvBytes(const Options& options,
                           const model::DeepseekConfig& config,
                           const kernels::Kernels& kernels) {
  const LatentKvCache::Options cache = CacheOptions(options, config, kernels);
  return static_cast<size_t>(cache.num_blocks) *
         LatentKvCache::BlockBytes(cache);
}

absl::StatusOr<std::unique_ptr<NodeEngine>> NodeEngine::Create(
    const Options& options, const Parts& parts) {
  std::unique_ptr<NodeEngine> node(new NodeEngine());
  const LatentKvCache::Options cache =
      CacheOptions(options, parts.checkpoint.Config(), parts.kernels);
  ASSIGN_OR_RETURN(node->cache_, LatentKvCache::Create(cache));
  ASSIGN_OR_RETURN(
      node->transformer_,
      attention::Transformer::Create(
          {.weights = parts.weights,
           .compute = {.kernels = parts.kernels, .pool = &parts.pool},
           .cache = *node->cache_,
           .dispatch = parts.dispatch,
           .clock = parts.clock,
           .trace = options.trace}));
  node->model_ = ModelOf(parts.checkpoint, parts.kernels, *parts.weights);
  ASSIGN_OR_RETURN(node->engine_, attention::Engine::Create(
                                      {.limits = options.limits,
                                       .inbox = options.inbox,
                                       .num_blocks = cache.num_blocks,
                                       .block_size = cache.block_size,
                                       .prefix_cache = options.prefix_cache},
                                      node->model_, *node->transformer_,
                                      parts.clock, &parts.pool));
  return node;
}

}  // namespace mesh::attention
