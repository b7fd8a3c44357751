// SPDX-License-Identifier: Apache-2.0
#include "expert-node/expert_size.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/status_macros.h"
#include "kernels/packed_matrix.h"
#include "model/moe_layers.h"
#include "model/weight_names.h"

namespace mesh::expert {
namespace {

constexpr uint64_t kLeastReserve = uint64_t{256} << 20;

size_t CeilDiv(int a, int b) { return static_cast<size_t>((a + b - 1) / b); }

std::optional<DType> DTypeOf(const model::TensorInfo& tensor) {
  for (const DType dtype : {DType::kF32, DType::kBf16, DType::kF8E4m3}) {
    if (DTypeName(dtype) == tensor.dtype) return dtype;
  }
  return std::nullopt;
}

// As PackedMatrix lays it out.
size_t PackedBytes(DType stored, int num_outputs, int num_inputs,
                   int block_cols) {
  const size_t tiles = CeilDiv(num_outputs, kernels::kTileOutputs);
  const size_t pairs = CeilDiv(num_inputs, 2);
  const size_t data =
      tiles * pairs * 2 * kernels::kTileOutputs * SizeOf(stored);
  if (stored != DType::kF8E4m3) return data;
  return data + tiles * CeilDiv(num_inputs, block_cols) * sizeof(float);
}

}  // namespace

absl::StatusOr<size_t> PackedExpertBytes(const model::Checkpoint& checkpoint,
                                         const kernels::Kernels& kernels) {
  const model::DeepseekConfig& config = checkpoint.Config();
  const std::vector<LayerId> layers = model::MoeLayers(config);
  if (layers.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(checkpoint.Dir(), ": the model has no routed experts"));
  }
  const int block_cols =
      config.quantization.has_value() ? config.quantization->block_cols : 1;
  size_t bytes = 0;
  for (const auto projection :
       {model::Projection::kGate, model::Projection::kUp,
        model::Projection::kDown}) {
    const std::string name =
        model::ExpertName(layers.front().value, 0, projection);
    const model::TensorInfo* tensor = checkpoint.Find(name);
    const auto dtype =
        tensor != nullptr ? DTypeOf(*tensor) : std::optional<DType>();
    if (!dtype.has_value()) {
      return absl::DataLossError(
          absl::StrCat(name, ": not a matrix of F32, BF16 or F8_E4M3"));
    }
    const bool down = projection == model::Projection::kDown;
    const int width = config.moe_intermediate_size;
    bytes += PackedBytes(kernels.WeightDType(*dtype),
                         down ? config.hidden_size : width,
                         down ? width : config.hidden_size, block_cols);
  }
  return bytes;
}

absl::StatusOr<int64_t> ExpertCapacity(size_t expert_bytes, int64_t wanted,
                                       uint64_t memory_bytes,
                                       uint64_t available_bytes) {
  constexpr double kMiB = 1 << 20;
  const uint64_t reserve = std::max(kLeastReserve, available_bytes / 16);
  const uint64_t usable =
      available_bytes > reserve ? available_bytes - reserve : 0;
  if (memory_bytes > usable) {
    return absl::ResourceExhaustedError(absl::StrFormat(
        "--memory asks for %.0f MiB, but only %.0f MiB are free here after a "
        "reserve of %.0f MiB; ask for less or free memory",
        static_cast<double>(memory_bytes) / kMiB,
        static_cast<double>(usable) / kMiB,
        static_cast<double>(reserve) / kMiB));
  }
  const uint64_t budget = memory_bytes > 0 ? memory_bytes : usable;
  const uint64_t fits = budget / std::max<size_t>(expert_bytes, 1);
  if (fits == 0) {
    return absl::ResourceExhaustedError(absl::StrFormat(
        "%.1f MiB of memory are too little for one expert of %.1f MiB; free "
        "memory or raise --memory",
        static_cast<double>(budget) / kMiB,
        static_cast<double>(expert_bytes) / kMiB));
  }
  return std::min<int64_t>(
      wanted, static_cast<int64_t>(std::min<uint64_t>(fits, INT64_MAX)));
}

}  // namespace mesh::expert
