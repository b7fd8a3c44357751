// SPDX-License-Identifier: Apache-2.0
#include "tests/conformance/contract_frames.h"

#include <bit>

namespace contract {
namespace {

constexpr size_t kHeaderBytes = 64;

void CheckHeader(const Bytes& frame, uint8_t kind, const Dispatch& dispatch,
                 const Shape& shape) {
  CONTRACT_EXPECT(frame.size() >= kHeaderBytes);
  CONTRACT_EXPECT(frame.substr(0, 4) == "EMXF");
  CONTRACT_EXPECT(Get<uint16_t>(frame, 4) == 1);
  CONTRACT_EXPECT(Get<uint8_t>(frame, 6) == kind);
  CONTRACT_EXPECT(Get<uint8_t>(frame, 7) == (shape.is_bf16 ? 1 : 0));
  CONTRACT_EXPECT(Get<uint64_t>(frame, 8) == kOrigin);
  CONTRACT_EXPECT(Get<uint64_t>(frame, 16) == dispatch.frame_id);
  CONTRACT_EXPECT(Get<uint64_t>(frame, 24) == kEpoch);
  CONTRACT_EXPECT(Get<uint16_t>(frame, 32) == dispatch.layer);
  CONTRACT_EXPECT(Get<uint16_t>(frame, 34) == 0);
  CONTRACT_EXPECT(Get<uint32_t>(frame, 36) == shape.hidden_size);
  CONTRACT_EXPECT(Get<uint32_t>(frame, 44) == 0);
  CONTRACT_EXPECT(Get<uint32_t>(frame, 52) == 0);
  CONTRACT_EXPECT(Get<uint32_t>(frame, 56) == frame.size() - kHeaderBytes);
  CONTRACT_EXPECT(
      Get<uint32_t>(frame, 60) ==
      Crc32c(frame.substr(kHeaderBytes), Crc32c(frame.substr(0, 60))));
}

void CheckZeros(const Bytes& frame, size_t begin, size_t end) {
  for (size_t i = begin; i < end; ++i) CONTRACT_EXPECT(frame.at(i) == '\0');
}

}  // namespace

uint16_t ToBf16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

float FromBf16(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

Bytes EncodeRow(const Row& row, const Shape& shape) {
  Bytes bytes;
  for (const float value : row) {
    if (shape.is_bf16) {
      Append(bytes, ToBf16(value));
    } else {
      Append(bytes, value);
    }
  }
  return bytes;
}

Row DecodeRow(const Bytes& bytes, const Shape& shape) {
  Row row;
  for (size_t i = 0; i < shape.hidden_size; ++i) {
    row.push_back(shape.is_bf16 ? FromBf16(Get<uint16_t>(bytes, 2 * i))
                                : Get<float>(bytes, 4 * i));
  }
  return row;
}

void SealFrame(Bytes& frame) {
  Put(frame, 56, static_cast<uint32_t>(frame.size() - kHeaderBytes));
  Put(frame, 60,
      Crc32c(frame.substr(kHeaderBytes), Crc32c(frame.substr(0, 60))));
}

Bytes EncodeDispatch(const Dispatch& dispatch, const Shape& shape) {
  Bytes frame(kHeaderBytes, '\0');
  Bytes segments;
  Bytes items;
  uint32_t num_items = 0;
  for (const Question& question : dispatch.questions) {
    const uint32_t group =
        question.picks.front().expert / (shape.num_experts / shape.num_groups);
    Append(segments, question.row);
    Append(segments, static_cast<uint16_t>(group));
    Append(segments, static_cast<uint8_t>(question.picks.size()));
    Append(segments, static_cast<uint8_t>(question.partial ? 1 : 0));
    for (const Pick& pick : question.picks) {
      Append(items, pick.expert);
      Append(items, uint16_t{0});
      Append(items, pick.weight);
      ++num_items;
    }
  }
  for (uint32_t r = 0; r < dispatch.rows.size(); ++r) {
    Append(frame, kRequest);
    Append(frame, uint32_t{0});
    Append(frame, uint32_t{100 + r});
  }
  frame += segments + items;
  FillTo64(frame);
  for (const Row& row : dispatch.rows) {
    frame += EncodeRow(row, shape);
    FillTo64(frame);
  }
  frame.replace(0, 4, "EMXF");
  Put(frame, 4, uint16_t{1});
  Put(frame, 6, uint8_t{1});
  Put(frame, 7, static_cast<uint8_t>(shape.is_bf16 ? 1 : 0));
  Put(frame, 8, kOrigin);
  Put(frame, 16, dispatch.frame_id);
  Put(frame, 24, kEpoch);
  Put(frame, 32, dispatch.layer);
  Put(frame, 36, shape.hidden_size);
  Put(frame, 40, static_cast<uint32_t>(dispatch.rows.size()));
  Put(frame, 44, static_cast<uint32_t>(dispatch.questions.size()));
  Put(frame, 48, num_items);
  Put(frame, 52, uint32_t{10000000});
  SealFrame(frame);
  return frame;
}

std::vector<Result> DecodeCombine(const Bytes& frame, const Dispatch& dispatch,
                                  const Shape& shape) {
  CheckHeader(frame, 2, dispatch, shape);
  const size_t num_rows = Get<uint32_t>(frame, 40);
  CONTRACT_EXPECT(Get<uint32_t>(frame, 48) == 0);
  const size_t tables_end = kHeaderBytes + 24 * num_rows;
  const size_t rows_at = (tables_end + 63) / 64 * 64;
  const size_t stride = (shape.RowBytes() + 63) / 64 * 64;
  CONTRACT_EXPECT(frame.size() == rows_at + num_rows * stride);
  CheckZeros(frame, tables_end, rows_at);
  std::vector<Result> results;
  for (size_t r = 0; r < num_rows; ++r) {
    const size_t at = kHeaderBytes + 24 * r;
    const size_t row_at = rows_at + r * stride;
    CheckZeros(frame, at + 19, at + 24);
    CheckZeros(frame, row_at + shape.RowBytes(), row_at + stride);
    results.push_back(
        {Get<uint64_t>(frame, at), Get<uint32_t>(frame, at + 8),
         Get<uint32_t>(frame, at + 12), Get<uint16_t>(frame, at + 16),
         Get<uint8_t>(frame, at + 18), frame.substr(row_at, shape.RowBytes())});
  }
  return results;
}

std::vector<uint16_t> DecodeStatus(const Bytes& frame, const Dispatch& dispatch,
                                   const Shape& shape, uint16_t expected_code) {
  CheckHeader(frame, 3, dispatch, shape);
  CONTRACT_EXPECT(Get<uint32_t>(frame, 40) == 0);
  const uint32_t num_experts = Get<uint32_t>(frame, 48);
  CONTRACT_EXPECT(frame.size() == kHeaderBytes + 2 + 2 * num_experts);
  CONTRACT_EXPECT(Get<uint16_t>(frame, kHeaderBytes) == expected_code);
  std::vector<uint16_t> experts;
  for (size_t i = 0; i < num_experts; ++i) {
    experts.push_back(Get<uint16_t>(frame, kHeaderBytes + 2 + 2 * i));
  }
  return experts;
}

}  // namespace contract
