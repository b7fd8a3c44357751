// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "core/check.h"
#include "core/clock.h"
#include "gateway/grpc_port/frame_scanner.h"
#include "tests/gateway/grpc_port/http2_bytes.h"
#include "tests/reference/http2_scanner_reference.h"

// Any bytes, read as what happens on a connection, and the scanner compared
// with its twin on it.
namespace mesh::gateway {

// Small, so that few bytes reach every limit.
inline ScanLimits ScriptLimits() {
  ScanLimits limits;
  limits.max_frame_bytes = 300;
  limits.max_header_block_bytes = 400;
  limits.max_continuations = 2;
  limits.max_early_header_bytes = 700;
  limits.max_streams = 2;
  limits.max_request_bytes = 500;
  limits.max_unfinished_bytes = 700;
  limits.max_resets = 3;
  limits.max_control_frames = 5;
  limits.free_data_frames = 2;
  return limits;
}

class ScriptReader {
 public:
  explicit ScriptReader(std::span<const uint8_t> data) : data_(data) {}

  std::vector<reference::Piece> Read() {
    if (Next() % 8 != 0) Add(false, Greeting());
    while (!data_.empty()) {
      const uint8_t step = Next() % 8;
      if (step == 0) {
        now_ += absl::Milliseconds(100 * Next());
        cut_ = true;
      } else if (step == 1) {
        const size_t wanted = Next() % 32;
        const size_t size = std::min(wanted, data_.size());
        Add(false, std::string(data_.begin(), data_.begin() + size));
        data_ = data_.subspan(size);
      } else if (step == 2) {
        cut_ = true;
      } else if (step == 3) {
        const bool from_server = last_from_server_;
        const std::string frame = last_frame_;
        for (int left = Next() % 8; left > 0; --left) Add(from_server, frame);
      } else {
        last_from_server_ = step >= 6;
        last_frame_ = ReadFrame();
        Add(last_from_server_, last_frame_);
      }
    }
    return std::move(pieces_);
  }

 private:
  uint8_t Next() {
    if (data_.empty()) return 0;
    const uint8_t byte = data_.front();
    data_ = data_.subspan(1);
    return byte;
  }

  // Mostly one that the rules allow, so that a script gets far.
  std::string ReadFrame() {
    constexpr std::array<uint8_t, 11> kUsualSizes = {70, 64, 5, 4,   0, 4,
                                                     8,  8,  4, 150, 1};
    constexpr std::array<size_t, 8> kSizes = {0, 1, 4, 6, 9, 200, 300, 301};
    const uint8_t type = Next() % 11;
    const uint8_t choice = Next();
    const size_t size =
        choice < 200 ? kUsualSizes[type] : kSizes[choice % kSizes.size()];
    return Frame(static_cast<FrameType>(type), ReadFlags(), ReadStream(type),
                 std::string(size, static_cast<char>(choice & 3)));
  }

  uint8_t ReadFlags() {
    const uint8_t byte = Next();
    if (byte >= 200) return byte;
    return static_cast<uint8_t>((byte % 4 != 0 ? kFlagEndHeaders : 0) |
                                (byte % 7 == 0 ? kFlagEndStream : 0));
  }

  uint32_t ReadStream(uint8_t type) {
    const uint8_t byte = Next();
    if (byte >= 240) return byte % 16;
    const bool of_connection = type == 4 || type == 6 || type == 7;
    if (of_connection || (type == 8 && byte % 2 == 0)) return 0;
    if (type == 1 && byte < 160) newest_ += 2;
    const uint32_t back = type == 1 ? 0 : byte % 3 * 2;
    return newest_ > back ? newest_ - back : newest_;
  }

  void Add(bool from_server, const std::string& bytes) {
    if (cut_ || pieces_.empty() || pieces_.back().from_server != from_server) {
      pieces_.push_back({from_server, now_, ""});
    }
    cut_ = false;
    pieces_.back().bytes += bytes;
  }

  std::span<const uint8_t> data_;
  std::vector<reference::Piece> pieces_;
  absl::Time now_ = absl::UnixEpoch();
  bool cut_ = false;
  bool last_from_server_ = false;
  std::string last_frame_;
  uint32_t newest_ = 0xffffffff;  // the first one becomes 1
};

// `step`: bytes that the scanner is given at a time; 0: whole pieces.
inline reference::ScanResult RunScanner(
    const ScanLimits& limits, const std::vector<reference::Piece>& pieces,
    size_t step) {
  FakeClock clock;
  FrameScanner scanner(limits, clock);
  reference::ScanResult result;
  for (const reference::Piece& piece : pieces) {
    clock.Advance(piece.time - clock.Now());
    std::span<const uint8_t> left = AsBytes(piece.bytes);
    while (!left.empty() && !scanner.Fault().has_value()) {
      const size_t size = step == 0 ? left.size() : std::min(step, left.size());
      if (piece.from_server) {
        scanner.ObserveServer(left.first(size));
      } else {
        result.num_passed += scanner.ScanClient(left.first(size));
      }
      left = left.subspan(size);
    }
  }
  result.greeted = scanner.Greeted();
  if (scanner.Fault().has_value()) {
    result.reason = scanner.Fault()->reason;
    result.error = scanner.Fault()->error;
    return result;
  }
  result.num_open = scanner.NumOpenStreams();
  result.last_stream = scanner.LastStream();
  return result;
}

// Dies if the scanner and its twin differ, or one split from another. Returns
// what they say.
inline reference::ScanResult CheckScript(std::span<const uint8_t> script) {
  const std::vector<reference::Piece> pieces = ScriptReader(script).Read();
  const ScanLimits limits = ScriptLimits();
  const reference::ScanResult expected =
      reference::Scan(limits, pieces).Result();
  for (const size_t step : {0, 1, 7}) {
    MESH_CHECK(RunScanner(limits, pieces, step) == expected);
  }
  return expected;
}

}  // namespace mesh::gateway
