// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>

#include "absl/status/statusor.h"
#include "core/digest.h"
#include "core/weight_view.h"
#include "kernels/kernels.h"
#include "kernels/packed_matrix.h"

namespace mesh::expert {

// The three projections of one SwiGLU expert, packed. Immutable; shared between
// threads as std::shared_ptr<const ExpertWeights>.
class ExpertWeights {
 public:
  // Errors: kInvalidArgument if the shapes disagree; those of
  // PackedMatrix::Pack.
  //   gate, up  [moe_intermediate_size, hidden_size]
  //   down      [hidden_size, moe_intermediate_size]
  static absl::StatusOr<std::shared_ptr<const ExpertWeights>> Pack(
      const kernels::Kernels& kernels, const WeightView& gate,
      const WeightView& up, const WeightView& down);

  const kernels::PackedMatrix& Gate() const { return gate_; }
  const kernels::PackedMatrix& Up() const { return up_; }
  const kernels::PackedMatrix& Down() const { return down_; }
  int HiddenSize() const { return gate_.NumInputs(); }
  int IntermediateSize() const { return gate_.NumOutputs(); }
  size_t SizeBytes() const;
  // Of the bytes before packing: gate, up and down in this order, each followed
  // by its scales if it has any. Equal on every node that read the same
  // checkpoint, whatever its kernels.
  const Digest& SourceDigest() const { return source_digest_; }

 private:
  ExpertWeights() = default;

  kernels::PackedMatrix gate_;
  kernels::PackedMatrix up_;
  kernels::PackedMatrix down_;
  Digest source_digest_;
};

}  // namespace mesh::expert
