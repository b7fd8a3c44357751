// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "absl/strings/string_view.h"

// The parts of HTTP/2 (RFC 9113) that can be read without HPACK.
namespace mesh::gateway {

inline constexpr absl::string_view kHttp2Preface =
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
inline constexpr size_t kFrameHeaderBytes = 9;

// Section 6; others exist and are to be ignored by receivers.
enum class FrameType : uint8_t {
  kData = 0,
  kHeaders = 1,
  kPriority = 2,
  kRstStream = 3,
  kSettings = 4,
  kPushPromise = 5,
  kPing = 6,
  kGoaway = 7,
  kWindowUpdate = 8,
  kContinuation = 9,
};

inline constexpr uint8_t kFlagAck = 0x1;  // SETTINGS, PING
inline constexpr uint8_t kFlagEndStream = 0x1;
inline constexpr uint8_t kFlagEndHeaders = 0x4;
inline constexpr uint8_t kFlagPadded = 0x8;

// Section 7, those that we send.
enum class Http2Error : uint32_t {
  kNoError = 0x0,
  kProtocolError = 0x1,
  kFlowControlError = 0x3,
  kStreamClosed = 0x5,
  kFrameSizeError = 0x6,
  kEnhanceYourCalm = 0xb,
};

struct FrameHeader {
  uint32_t length = 0;  // of the payload
  FrameType type = FrameType::kData;
  uint8_t flags = 0;
  uint32_t stream = 0;  // 31 bits

  bool Has(uint8_t flag) const { return (flags & flag) != 0; }
};

// REQUIRES: bytes.size() >= 4.
uint32_t ReadUint32(std::span<const uint8_t> bytes);

// REQUIRES: bytes.size() >= kFrameHeaderBytes.
FrameHeader DecodeFrameHeader(std::span<const uint8_t> bytes);
void AppendFrameHeader(const FrameHeader& header, std::string* out);

// A whole frame that ends a connection; `debug` is for people.
std::string EncodeGoaway(uint32_t last_stream, Http2Error error,
                         absl::string_view debug);

// Cuts one direction of a connection into frames, in pieces of any size.
class FrameCutter {
 public:
  // Of a payload, for those frames whose payload is looked at.
  static constexpr size_t kPeekBytes = 4;

  enum class Event {
    kNone,     // every byte is taken
    kHeader,   // Header() is complete; its last byte was the last one taken
    kPayload,  // and so is the payload
  };

  // Takes bytes off the front of `bytes` up to the next event. A frame without
  // payload gives kHeader, then kPayload without another byte.
  Event Next(std::span<const uint8_t>* bytes);

  const FrameHeader& Header() const { return header_; }
  // The payload's first bytes, as far as they have come; at most kPeekBytes.
  std::span<const uint8_t> Peek() const { return {peek_.data(), num_peeked_}; }
  // Between two frames.
  bool AtBoundary() const { return !in_payload_ && num_header_bytes_ == 0; }

 private:
  Event TakeHeader(std::span<const uint8_t>* bytes);

  std::array<uint8_t, kFrameHeaderBytes> header_bytes_ = {};
  size_t num_header_bytes_ = 0;
  FrameHeader header_;
  bool in_payload_ = false;
  size_t payload_left_ = 0;
  std::array<uint8_t, kPeekBytes> peek_ = {};
  size_t num_peeked_ = 0;
};

}  // namespace mesh::gateway
