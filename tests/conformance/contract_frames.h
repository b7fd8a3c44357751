// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "tests/conformance/contract_bytes.h"

namespace contract {

// What both ends agree on (docs/wire_format.md, section 5).
struct Shape {
  bool is_bf16 = false;
  uint32_t hidden_size = 0;
  uint32_t num_layers = 0;
  uint32_t num_experts = 0;
  uint32_t num_groups = 0;
  uint64_t max_frame_bytes = uint64_t{4} << 20;

  size_t RowBytes() const { return hidden_size * (is_bf16 ? 2U : 4U); }
};

using Row = std::vector<float>;

struct Pick {
  uint16_t expert;
  float weight;
};

// One row's question to one routing group.
struct Question {
  uint32_t row;
  bool partial;
  std::vector<Pick> picks;
};

struct Dispatch {
  uint64_t frame_id = 0;
  uint16_t layer = 0;
  std::vector<Row> rows;
  std::vector<Question> questions;  // by (row, group)
};

struct Result {
  uint64_t request;
  uint32_t choice;
  uint32_t position;
  uint16_t id;  // expert or group
  uint8_t kind;
  Bytes row;  // as it came, without padding
};

constexpr uint64_t kOrigin = 0xc0ffee;
constexpr uint64_t kEpoch = 12345;  // of no placement: nodes do not care
constexpr uint64_t kRequest = 7;

uint16_t ToBf16(float value);
float FromBf16(uint16_t bits);
Bytes EncodeRow(const Row& row, const Shape& shape);
Row DecodeRow(const Bytes& bytes, const Shape& shape);

Bytes EncodeDispatch(const Dispatch& dispatch, const Shape& shape);
// Sets payload length and checksum.
void SealFrame(Bytes& frame);

// Checks every byte of an answer to `dispatch`, and takes it apart.
std::vector<Result> DecodeCombine(const Bytes& frame, const Dispatch& dispatch,
                                  const Shape& shape);
// The same for a status; the experts it lists.
std::vector<uint16_t> DecodeStatus(const Bytes& frame, const Dispatch& dispatch,
                                   const Shape& shape, uint16_t expected_code);

}  // namespace contract
