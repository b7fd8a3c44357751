// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <cstdint>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/conformance/contract_frames.h"

namespace contract {

// One matrix of a checkpoint in bfloat16, read and multiplied without a thought
// for speed.
struct Matrix {
  size_t rows = 0;
  size_t cols = 0;
  std::vector<double> values;

  std::vector<double> Times(const std::vector<double>& x) const {
    std::vector<double> y(rows);
    for (size_t r = 0; r < rows; ++r) {
      for (size_t c = 0; c < cols; ++c) y[r] += values[r * cols + c] * x[c];
    }
    return y;
  }
};

inline nlohmann::json ReadJson(const std::string& path) {
  std::ifstream file(path);
  CONTRACT_EXPECT(file.good());
  return nlohmann::json::parse(file);
}

inline Matrix ReadMatrix(const std::string& model, const std::string& name) {
  const auto index = ReadJson(model + "/model.safetensors.index.json");
  std::ifstream file(model + "/" + index["weight_map"][name].get<std::string>(),
                     std::ios::binary);
  uint64_t header_bytes = 0;
  file.read(reinterpret_cast<char*>(&header_bytes), sizeof(header_bytes));
  std::string text(header_bytes, ' ');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  const auto tensor = nlohmann::json::parse(text)[name];
  CONTRACT_EXPECT(tensor["dtype"] == "BF16");
  Matrix matrix{tensor["shape"][0], tensor["shape"][1], {}};
  file.seekg(static_cast<std::streamoff>(
      8 + header_bytes + tensor["data_offsets"][0].get<uint64_t>()));
  for (size_t i = 0; i < matrix.rows * matrix.cols; ++i) {
    uint16_t bits = 0;
    file.read(reinterpret_cast<char*>(&bits), sizeof(bits));
    matrix.values.push_back(FromBf16(bits));
  }
  CONTRACT_EXPECT(file.good());
  return matrix;
}

// down(silu(gate x) * up x), in float64.
inline Row ExpertRow(const std::string& model, int layer, int expert,
                     const Row& x) {
  const std::string prefix = "model.layers." + std::to_string(layer) +
                             ".mlp.experts." + std::to_string(expert) + ".";
  const std::vector<double> input(x.begin(), x.end());
  std::vector<double> gate =
      ReadMatrix(model, prefix + "gate_proj.weight").Times(input);
  const std::vector<double> up =
      ReadMatrix(model, prefix + "up_proj.weight").Times(input);
  for (size_t i = 0; i < gate.size(); ++i) {
    gate[i] = gate[i] / (1 + std::exp(-gate[i])) * up[i];
  }
  const std::vector<double> out =
      ReadMatrix(model, prefix + "down_proj.weight").Times(gate);
  return {out.begin(), out.end()};
}

}  // namespace contract
