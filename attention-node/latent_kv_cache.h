// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>

#include "absl/status/statusor.h"
#include "core/aligned_buffer.h"
#include "core/dtype.h"
#include "core/ids.h"
#include "core/rows_view.h"

namespace mesh::attention {

// The memory of the paged latent KV that MLA attends over.
//
// A token costs, per layer, one row of [kv_lora_rank | qk_rope_head_dim]: the
// normalized latent and the rotated key that all heads share. For DeepSeek-V3
// that is (512 + 64) bf16 = 1152 bytes, and 70272 bytes over its 61 layers.
// Source: DeepSeek-V3 (arXiv:2412.19437), section 2.1.1.
//
// A block holds `block_size` consecutive tokens of one sequence, for all
// layers. Who owns which block is KvBlocks' business.
// Owned by the engine thread.
class LatentKvCache {
 public:
  struct Options {
    DType dtype = DType::kBf16;
    int num_layers = 0;
    int row_elements = 0;  // kv_lora_rank + qk_rope_head_dim
    int block_size = 64;   // tokens
    int num_blocks = 0;
  };

  // Allocates all memory up front. Errors: kInvalidArgument if an option is not
  // positive; kResourceExhausted if it cannot be allocated.
  static absl::StatusOr<std::unique_ptr<LatentKvCache>> Create(
      const Options& options);

  // Bytes of one block over all layers.
  static size_t BlockBytes(const Options& options);

  // Where the row of token `position` is kept in `layer`.
  std::byte* MutableRow(LayerId layer, BlockId block, int position);

  // All rows of a layer: [num_blocks * block_size, row_elements]; block b
  // begins at row b * block_size.
  RowsView Rows(LayerId layer) const;

  const Options& GetOptions() const { return options_; }

 private:
  explicit LatentKvCache(const Options& options);

  const Options options_;
  size_t row_bytes_ = 0;  // rows are padded to an even number of elements
  AlignedBuffer memory_;
};

}  // namespace mesh::attention
