// SPDX-License-Identifier: Apache-2.0
#include "tests/attention-node/forward_harness.h"

#include <algorithm>

#include "core/check.h"
#include "core/status_macros.h"

namespace mesh::attention {
namespace {

constexpr int kBlockSize = 8;
constexpr int kNumBlocks = 512;

template <typename T>
T ValueOrDie(absl::StatusOr<T> value) {
  if (!value.ok()) {
    std::fprintf(stderr, "%s\n", value.status().ToString().c_str());
  }
  MESH_CHECK(value.ok());
  return *std::move(value);
}

LatentKvCache::Options CacheOptions(const model::DeepseekConfig& config,
                                    const kernels::Kernels& kernels) {
  LatentKvCache::Options options = Transformer::CacheOptions(config, kernels);
  options.block_size = kBlockSize;
  options.num_blocks = kNumBlocks;
  return options;
}

}  // namespace

ForwardHarness::ForwardHarness(const std::string& model_dir,
                               absl::string_view kernels, int num_threads)
    : kernels_(ValueOrDie(kernels::Kernels::Select(kernels))),
      pool_(num_threads),
      checkpoint_(ValueOrDie(model::Checkpoint::Open(model_dir))),
      plain_(*checkpoint_),
      dispatch_(plain_, kernels_.ActivationDType()),
      weights_(ValueOrDie(LoadAttentionWeights(*checkpoint_, kernels_, pool_))),
      cache_(
          ValueOrDie(LatentKvCache::Create(CacheOptions(Config(), kernels_)))),
      transformer_(ValueOrDie(
          Transformer::Create({.weights = weights_,
                               .compute = {.kernels = kernels_, .pool = &pool_},
                               .cache = *cache_,
                               .dispatch = dispatch_,
                               .clock = clock_,
                               .trace = this}))) {
  for (int i = 0; i < kNumBlocks; ++i) {
    free_.push_back(BlockId{(i * 37 + 11) % kNumBlocks});
  }
}

TestSequence ForwardHarness::NewSequence(std::vector<TokenId> ids) {
  TestSequence sequence;
  sequence.request = RequestId{++num_sequences_};
  const size_t num_blocks = (ids.size() + kBlockSize - 1) / kBlockSize;
  MESH_CHECK(num_blocks <= free_.size());
  sequence.blocks.assign(free_.end() - static_cast<long>(num_blocks),
                         free_.end());
  free_.resize(free_.size() - num_blocks);
  sequence.ids = std::move(ids);
  return sequence;
}

absl::Status ForwardHarness::Step(std::span<const Chunk> chunks) {
  StepBatch batch;
  for (const auto& [sequence, count] : chunks) {
    const size_t first = sequence->computed.size();
    batch.sequences.push_back(
        {.request = sequence->request,
         .choice = sequence->choice,
         .first_row = batch.num_rows,
         .num_rows = count,
         .first_position = static_cast<int>(first),
         .token_ids = std::span(sequence->ids)
                          .subspan(first, static_cast<size_t>(count)),
         .block_table = sequence->blocks,
         .routing = sequence->routing,
         .num_logits = count});
    batch.num_rows += count;
    batch.num_logits += count;
  }
  std::vector<float> logits(static_cast<size_t>(batch.num_logits) *
                            static_cast<size_t>(Config().vocab_size));
  const MatrixView<float> view(logits.data(), batch.num_logits,
                               Config().vocab_size);
  RETURN_IF_ERROR(transformer_->Forward(batch, view));
  int row = 0;
  for (const auto& [sequence, count] : chunks) {
    for (int i = 0; i < count; ++i, ++row) {
      ComputedToken& token = rows_[static_cast<size_t>(row)];
      token.logits.assign(view.Row(row).begin(), view.Row(row).end());
      sequence->computed.push_back(std::move(token));
    }
  }
  return absl::OkStatus();
}

std::vector<ComputedToken> ForwardHarness::Run(const std::vector<TokenId>& ids,
                                               int chunk) {
  TestSequence sequence = NewSequence(ids);
  while (sequence.computed.size() < ids.size()) {
    const size_t left = ids.size() - sequence.computed.size();
    const Chunk next(&sequence, std::min(chunk, static_cast<int>(left)));
    MESH_CHECK(Step({&next, 1}).ok());
  }
  free_.insert(free_.begin(), sequence.blocks.begin(), sequence.blocks.end());
  return sequence.computed;
}

void ForwardHarness::OnStep(const StepBatch& batch) {
  rows_.assign(static_cast<size_t>(batch.num_rows), {});
}

void ForwardHarness::OnHidden(int num_layers, MatrixView<const float> hidden) {
  for (size_t row = 0; row < rows_.size(); ++row) {
    const std::span<const float> values = hidden.Row(static_cast<int>(row));
    MESH_CHECK(rows_[row].hidden.size() == static_cast<size_t>(num_layers));
    rows_[row].hidden.emplace_back(values.begin(), values.end());
  }
}

void ForwardHarness::OnExperts(LayerId layer,
                               std::span<const ExpertId> topk_idx,
                               std::span<const float> topk_weights,
                               MatrixView<const float> scores) {
  MESH_CHECK(Config().IsMoeLayer(layer.value));
  MESH_CHECK(scores.Cols() == Config().n_routed_experts);
  const size_t num_topk = topk_idx.size() / rows_.size();
  for (size_t row = 0; row < rows_.size(); ++row) {
    std::vector<int> experts;
    std::vector<float> weights;
    for (size_t k = row * num_topk; k < (row + 1) * num_topk; ++k) {
      experts.push_back(topk_idx[k].value);
      weights.push_back(topk_weights[k]);
    }
    rows_[row].experts.push_back(std::move(experts));
    rows_[row].weights.push_back(std::move(weights));
  }
}

}  // namespace mesh::attention
