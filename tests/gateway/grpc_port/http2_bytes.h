// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gateway/grpc_port/http2_frame.h"

// Hand-made bytes of HTTP/2.
namespace mesh::gateway {

inline std::span<const uint8_t> AsBytes(absl::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

inline std::string Frame(FrameType type, uint8_t flags, uint32_t stream,
                         absl::string_view payload = "") {
  std::string frame;
  AppendFrameHeader({.length = static_cast<uint32_t>(payload.size()),
                     .type = type,
                     .flags = flags,
                     .stream = stream},
                    &frame);
  return absl::StrCat(frame, payload);
}

inline std::string Word(uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) {
    bytes.push_back(static_cast<char>((value >> shift) & 0xff));
  }
  return bytes;
}

inline std::string Settings() { return Frame(FrameType::kSettings, 0, 0); }

// What every good client begins with.
inline std::string Greeting() {
  return absl::StrCat(kHttp2Preface, Settings());
}

inline std::string Headers(uint32_t stream, absl::string_view block = "",
                           uint8_t flags = kFlagEndHeaders) {
  return Frame(FrameType::kHeaders, flags, stream, block);
}

inline std::string Data(uint32_t stream, absl::string_view payload,
                        uint8_t flags = 0) {
  return Frame(FrameType::kData, flags, stream, payload);
}

inline std::string RstStream(uint32_t stream, uint32_t error = 8) {
  return Frame(FrameType::kRstStream, 0, stream, Word(error));
}

inline std::string WindowUpdate(uint32_t stream, uint32_t increment) {
  return Frame(FrameType::kWindowUpdate, 0, stream, Word(increment));
}

inline std::string Ping(uint8_t flags = 0) {
  return Frame(FrameType::kPing, flags, 0, "12345678");
}

inline std::string Priority(uint32_t stream) {
  return Frame(FrameType::kPriority, 0, stream, absl::StrCat(Word(0), "x"));
}

// A literal header field that is not indexed, name and value without Huffman
// coding (RFC 7541, 6.2.2).
inline std::string HpackLength(size_t length) {
  if (length < 127) return std::string(1, static_cast<char>(length));
  std::string bytes(1, '\x7f');
  for (length -= 127; length >= 128; length /= 128) {
    bytes.push_back(static_cast<char>(length % 128 + 128));
  }
  bytes.push_back(static_cast<char>(length));
  return bytes;
}

inline std::string HpackField(absl::string_view name, absl::string_view value) {
  return absl::StrCat(absl::string_view("\0", 1), HpackLength(name.size()),
                      name, HpackLength(value.size()), value);
}

using HeaderFields = std::vector<std::pair<std::string, std::string>>;

// The header block of a gRPC call.
inline std::string CallHeaders(absl::string_view method,
                               const HeaderFields& more = {}) {
  std::string block = absl::StrCat(
      HpackField(":method", "POST"), HpackField(":scheme", "http"),
      HpackField(":path", method), HpackField(":authority", "gateway"),
      HpackField("content-type", "application/grpc"),
      HpackField("te", "trailers"));
  for (const auto& [name, value] : more) {
    absl::StrAppend(&block, HpackField(name, value));
  }
  return block;
}

// One message as gRPC frames it.
inline std::string GrpcMessage(absl::string_view message) {
  return absl::StrCat(absl::string_view("\0", 1),
                      Word(static_cast<uint32_t>(message.size())), message);
}

}  // namespace mesh::gateway
