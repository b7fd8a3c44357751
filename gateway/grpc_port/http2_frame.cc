// SPDX-License-Identifier: Apache-2.0
#include "gateway/grpc_port/http2_frame.h"

#include <algorithm>

#include "core/check.h"

namespace mesh::gateway {
namespace {

constexpr uint32_t kStreamMask = 0x7fffffff;

void AppendUint32(uint32_t value, std::string* out) {
  for (int shift = 24; shift >= 0; shift -= 8) {
    out->push_back(static_cast<char>((value >> shift) & 0xff));
  }
}

}  // namespace

uint32_t ReadUint32(std::span<const uint8_t> bytes) {
  MESH_DCHECK(bytes.size() >= 4);
  return (uint32_t{bytes[0]} << 24) | (uint32_t{bytes[1]} << 16) |
         (uint32_t{bytes[2]} << 8) | bytes[3];
}

FrameHeader DecodeFrameHeader(std::span<const uint8_t> bytes) {
  MESH_DCHECK(bytes.size() >= kFrameHeaderBytes);
  return {.length =
              (uint32_t{bytes[0]} << 16) | (uint32_t{bytes[1]} << 8) | bytes[2],
          .type = static_cast<FrameType>(bytes[3]),
          .flags = bytes[4],
          .stream = ReadUint32(bytes.subspan(5)) & kStreamMask};
}

void AppendFrameHeader(const FrameHeader& header, std::string* out) {
  // Length and type share a word.
  AppendUint32((header.length << 8) | static_cast<uint32_t>(header.type), out);
  out->push_back(static_cast<char>(header.flags));
  AppendUint32(header.stream, out);
}

std::string EncodeGoaway(uint32_t last_stream, Http2Error error,
                         absl::string_view debug) {
  std::string frame;
  AppendFrameHeader({.length = static_cast<uint32_t>(8 + debug.size()),
                     .type = FrameType::kGoaway},
                    &frame);
  AppendUint32(last_stream, &frame);
  AppendUint32(static_cast<uint32_t>(error), &frame);
  frame.append(debug.data(), debug.size());
  return frame;
}

FrameCutter::Event FrameCutter::TakeHeader(std::span<const uint8_t>* bytes) {
  const size_t taken =
      std::min(bytes->size(), kFrameHeaderBytes - num_header_bytes_);
  std::copy_n(bytes->begin(), taken, header_bytes_.begin() + num_header_bytes_);
  num_header_bytes_ += taken;
  *bytes = bytes->subspan(taken);
  if (num_header_bytes_ < kFrameHeaderBytes) return Event::kNone;
  header_ = DecodeFrameHeader(header_bytes_);
  num_header_bytes_ = 0;
  in_payload_ = true;
  payload_left_ = header_.length;
  num_peeked_ = 0;
  return Event::kHeader;
}

FrameCutter::Event FrameCutter::Next(std::span<const uint8_t>* bytes) {
  if (!in_payload_) return TakeHeader(bytes);
  const size_t taken = std::min(bytes->size(), payload_left_);
  const size_t peeked = std::min(taken, kPeekBytes - num_peeked_);
  std::copy_n(bytes->begin(), peeked, peek_.begin() + num_peeked_);
  num_peeked_ += peeked;
  payload_left_ -= taken;
  *bytes = bytes->subspan(taken);
  if (payload_left_ > 0) return Event::kNone;
  in_payload_ = false;
  return Event::kPayload;
}

}  // namespace mesh::gateway
