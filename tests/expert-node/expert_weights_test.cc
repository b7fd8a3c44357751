// SPDX-License-Identifier: Apache-2.0
#include "expert-node/expert_weights.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "core/aligned_buffer.h"
#include "tests/support/status_matchers.h"

namespace mesh::expert {
namespace {

WeightMatrix Fp8Matrix(int rows, int cols, int seed) {
  WeightMatrix matrix;
  matrix.dtype = DType::kF8E4m3;
  matrix.rows = rows;
  matrix.cols = cols;
  matrix.block_rows = 16;
  matrix.block_cols = 16;
  const size_t size = static_cast<size_t>(rows) * static_cast<size_t>(cols);
  matrix.data = *AlignedBuffer::Allocate(size);
  for (size_t i = 0; i < size; ++i) {
    matrix.data.Data()[i] =
        static_cast<std::byte>((i + static_cast<size_t>(seed)) % 100);
  }
  const int blocks = ((rows + 15) / 16) * ((cols + 15) / 16);
  for (int i = 0; i < blocks; ++i) {
    matrix.scales.push_back(1 + static_cast<float>(i + seed) / 8);
  }
  return matrix;
}

struct Matrices {
  WeightMatrix gate = Fp8Matrix(20, 36, 1);
  WeightMatrix up = Fp8Matrix(20, 36, 2);
  WeightMatrix down = Fp8Matrix(36, 20, 3);
};

Digest DigestAs(const char* kernels, const Matrices& m) {
  return (*ExpertWeights::Pack(*kernels::Kernels::Select(kernels),
                               m.gate.View(), m.up.View(), m.down.View()))
      ->SourceDigest();
}

TEST(ExpertWeights, DigestIsThatOfTheBytesInOrderWhateverTheKernels) {
  const Matrices m;
  DigestBuilder expected;
  for (const WeightMatrix* matrix : {&m.gate, &m.up, &m.down}) {
    expected.Update({matrix->data.Data(),
                     static_cast<size_t>(matrix->rows * matrix->cols)});
    expected.Update(std::as_bytes(std::span(matrix->scales)));
  }
  EXPECT_EQ(DigestAs("scalar", m), expected.Finish());
  EXPECT_EQ(DigestAs("reference", m), expected.Finish());
}

TEST(ExpertWeights, DigestSeesOneBitOfAnyMatrixOrScale) {
  Matrices m;
  std::vector<Digest> seen = {DigestAs("scalar", m)};
  for (WeightMatrix* matrix : {&m.gate, &m.up, &m.down}) {
    std::byte& last = matrix->data.Data()[matrix->rows * matrix->cols - 1];
    last ^= std::byte{1};
    seen.push_back(DigestAs("scalar", m));
    matrix->scales.back() *= 2;
    seen.push_back(DigestAs("scalar", m));
  }
  std::sort(seen.begin(), seen.end());
  EXPECT_EQ(std::unique(seen.begin(), seen.end()), seen.end());
}

}  // namespace
}  // namespace mesh::expert
