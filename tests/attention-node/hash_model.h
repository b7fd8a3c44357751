// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "attention-node/latent_kv_cache.h"
#include "attention-node/step_batch.h"
#include "attention-node/transcript.h"
#include "core/check.h"
#include "tests/reference/sampler_reference.h"

namespace mesh::attention {

inline uint64_t MixHash(uint64_t a, uint64_t b) {
  uint64_t x = (a ^ (b + 0x9E3779B97F4A7C15)) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
  return x ^ (x >> 31);
}

// A model whose logits are a hash of all tokens before them, read back from the
// KV cache through the block table: a wrong row, position, block or history
// changes every later token. As in a transformer, a row depends on the rows
// before it, so a block that is shared after another prefix is noticed too.
class HashModel final : public ForwardPass {
 public:
  static constexpr int kVocabSize = 41;

  HashModel(int num_blocks, int block_size) {
    auto cache = LatentKvCache::Create({.dtype = DType::kF32,
                                        .num_layers = 1,
                                        .row_elements = 2,
                                        .block_size = block_size,
                                        .num_blocks = num_blocks});
    MESH_CHECK(cache.ok());
    cache_ = *std::move(cache);
  }

  // `previous` is the row before; 0 before the first.
  static uint64_t RowHash(uint64_t previous, TokenId token, int position) {
    return MixHash(previous, MixHash(static_cast<uint64_t>(token),
                                     static_cast<uint64_t>(position)));
  }
  // Logits in [-4, 4) in steps of 1/8, so that there are ties.
  static void WriteLogits(uint64_t hash, std::span<float> logits) {
    for (size_t i = 0; i < logits.size(); ++i) {
      logits[i] = static_cast<float>(MixHash(hash, i) % 64) / 8 - 4;
    }
  }
  // The logits after `tokens`, without any engine.
  static std::vector<float> LogitsAfter(std::span<const TokenId> tokens) {
    uint64_t hash = 0;
    uint64_t row = 0;
    for (size_t i = 0; i < tokens.size(); ++i) {
      row = RowHash(row, tokens[i], static_cast<int>(i));
      hash = MixHash(hash, row);
    }
    std::vector<float> logits(kVocabSize);
    WriteLogits(hash, logits);
    return logits;
  }

  absl::Status Forward(const StepBatch& batch,
                       MatrixView<float> logits) override {
    if (!next_error.ok()) return std::exchange(next_error, absl::OkStatus());
    MESH_CHECK(logits.Rows() == batch.num_logits);
    int row = 0;
    int logits_row = 0;
    for (const StepBatch::SequenceRows& rows : batch.sequences) {
      MESH_CHECK(rows.first_row == row && rows.num_rows > 0);
      MESH_CHECK(static_cast<int>(rows.token_ids.size()) == rows.num_rows);
      row += rows.num_rows;
      Write(rows);
      for (int i = rows.num_rows - rows.num_logits; i < rows.num_rows; ++i) {
        uint64_t hash = Read(rows, rows.first_position + i);
        if (depends_on_batch) {
          hash = MixHash(hash, static_cast<uint64_t>(batch.num_rows));
        }
        WriteLogits(hash, logits.Row(logits_row));
        if (poisoned == rows.request) logits.Row(logits_row)[3] = poison;
        ++logits_row;
      }
    }
    MESH_CHECK(row == batch.num_rows && logits_row == batch.num_logits);
    return absl::OkStatus();
  }

  absl::Status next_error;
  std::optional<RequestId> poisoned;  // gets one non-finite logit
  float poison = 0;
  bool depends_on_batch = false;  // the defect that tests must notice

 private:
  std::byte* RowAt(const StepBatch::SequenceRows& rows, int position) {
    const auto block =
        static_cast<size_t>(position / cache_->GetOptions().block_size);
    MESH_CHECK(block < rows.block_table.size());
    return cache_->MutableRow(LayerId{0}, rows.block_table[block], position);
  }
  uint64_t ReadRow(const StepBatch::SequenceRows& rows, int position) {
    uint64_t row = 0;
    std::memcpy(&row, RowAt(rows, position), sizeof(row));
    return row;
  }
  void Write(const StepBatch::SequenceRows& rows) {
    for (int i = 0; i < rows.num_rows; ++i) {
      const int position = rows.first_position + i;
      const uint64_t previous = position == 0 ? 0 : ReadRow(rows, position - 1);
      const uint64_t row =
          RowHash(previous, rows.token_ids[static_cast<size_t>(i)], position);
      std::memcpy(RowAt(rows, position), &row, sizeof(row));
    }
  }
  uint64_t Read(const StepBatch::SequenceRows& rows, int last_position) {
    uint64_t hash = 0;
    for (int position = 0; position <= last_position; ++position) {
      hash = MixHash(hash, ReadRow(rows, position));
    }
    return hash;
  }

  std::unique_ptr<LatentKvCache> cache_;
};

// What a stream must emit from its beginning to max_tokens or a stop token:
// one token after another, with neither engine nor cache.
inline std::vector<TokenId> ExpectedTokens(const Transcript& transcript) {
  const SamplingParams& params = transcript.sampling;
  std::vector<TokenId> tokens = transcript.prompt;
  std::vector<TokenId> emitted;
  while (static_cast<int>(emitted.size()) < params.max_tokens) {
    const TokenId token =
        ReferenceSample(params, transcript.prompt, emitted, transcript.choice,
                        HashModel::LogitsAfter(tokens));
    tokens.push_back(token);
    emitted.push_back(token);
    if (std::count(params.stop_token_ids.begin(), params.stop_token_ids.end(),
                   token) > 0) {
      break;
    }
  }
  return emitted;
}

}  // namespace mesh::attention
