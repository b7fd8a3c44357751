// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "attention-node/attention_weights.h"
#include "attention-node/forward_trace.h"
#include "attention-node/latent_kv_cache.h"
#include "attention-node/transformer.h"
#include "core/thread_pool.h"
#include "kernels/kernels.h"
#include "model/checkpoint.h"
#include "tests/reference/expert_dispatch_reference.h"
#include "tests/reference/weights_reference.h"

namespace mesh::attention {

// All that was computed for one token.
struct ComputedToken {
  std::vector<float> logits;                // [vocab_size]
  std::vector<std::vector<float>> hidden;   // [layers + 1][hidden_size]
  std::vector<std::vector<int>> experts;    // [moe layers][num_topk]
  std::vector<std::vector<float>> weights;  // the same

  friend bool operator==(const ComputedToken&, const ComputedToken&) = default;
};

// One token stream with its blocks.
struct TestSequence {
  RequestId request;
  uint32_t choice = 0;
  std::vector<TokenId> ids;
  std::vector<BlockId> blocks;
  const RoutingTable* routing = nullptr;
  std::vector<ComputedToken> computed;  // of the first ids
};

// A transformer over a checkpoint, its cache and plain experts, with a loop
// that takes the place of the engine.
class ForwardHarness final : public ForwardTrace {
 public:
  ForwardHarness(const std::string& model_dir, absl::string_view kernels,
                 int num_threads = 1);

  // A sequence of `ids`; blocks come in no particular order.
  TestSequence NewSequence(std::vector<TokenId> ids);

  // One step: the next `count` tokens of each sequence, with their logits.
  using Chunk = std::pair<TestSequence*, int>;
  absl::Status Step(std::span<const Chunk> chunks);

  // The tokens of `ids` in steps of `chunk` tokens.
  std::vector<ComputedToken> Run(const std::vector<TokenId>& ids, int chunk);

  const model::DeepseekConfig& Config() const { return checkpoint_->Config(); }
  const AttentionWeights& Weights() const { return *weights_; }
  const kernels::Kernels& Kernels() const { return kernels_; }
  const LatentKvCache& Cache() const { return *cache_; }
  const model::Checkpoint& Checkpoint() const { return *checkpoint_; }
  PlainWeights& Plain() { return plain_; }
  router::ExpertDispatchReference& Dispatch() { return dispatch_; }
  Transformer& Forward() { return *transformer_; }

  void OnStep(const StepBatch& batch) override;
  void OnHidden(int num_layers, MatrixView<const float> hidden) override;
  void OnExperts(LayerId layer, std::span<const ExpertId> topk_idx,
                 std::span<const float> topk_weights,
                 MatrixView<const float> scores) override;

 private:
  const RealClock clock_;
  const kernels::Kernels kernels_;
  ThreadPool pool_;
  std::unique_ptr<model::Checkpoint> checkpoint_;
  PlainWeights plain_;
  router::ExpertDispatchReference dispatch_;
  std::shared_ptr<const AttentionWeights> weights_;
  std::unique_ptr<LatentKvCache> cache_;
  std::unique_ptr<Transformer> transformer_;
  std::vector<BlockId> free_;
  uint64_t num_sequences_ = 0;
  std::vector<ComputedToken> rows_;  // of the step
};

}  // namespace mesh::attention
