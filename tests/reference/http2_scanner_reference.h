// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "gateway/grpc_port/close_reason.h"
#include "gateway/grpc_port/frame_scanner.h"
#include "gateway/grpc_port/http2_frame.h"

// The slow twin of gateway/grpc_port/frame_scanner: has both directions whole,
// keeps every frame, stream and time for ever, and counts anew for each frame.
namespace mesh::gateway::reference {

struct Piece {
  bool from_server = false;
  absl::Time time;
  std::string bytes;
};

struct ScanResult {
  size_t num_passed = 0;
  std::optional<CloseReason> reason;
  Http2Error error = Http2Error::kNoError;
  bool greeted = false;
  // Of a connection without a fault.
  size_t num_open = 0;
  uint32_t last_stream = 0;

  bool operator==(const ScanResult&) const = default;
};

class Scan {
 public:
  Scan(const ScanLimits& limits, const std::vector<Piece>& pieces)
      : limits_(limits) {
    for (const Piece& piece : pieces) {
      num_before_.push_back(num_client_);
      if (!piece.from_server) num_client_ += piece.bytes.size();
    }
    for (const bool from_server : {false, true}) Cut(pieces, from_server);
    std::stable_sort(
        moments_.begin(), moments_.end(),
        [](const Moment& a, const Moment& b) { return a.place < b.place; });
    Run();
  }

  ScanResult Result() const {
    ScanResult result = result_;
    result.num_passed = num_passed_;
    if (result.reason.has_value()) return result;
    result.num_passed = num_client_;
    result.last_stream = last_;
    for (const auto& [id, stream] : streams_) result.num_open += stream.open;
    return result;
  }

 private:
  // When the scanner learns something: of a frame's header or of its payload.
  struct Moment {
    std::pair<size_t, size_t> place;  // piece, byte within
    absl::Time time;
    bool from_server = false;
    bool payload = false;
    FrameHeader frame;
    uint32_t word = 0;      // the payload's first four bytes
    size_t num_passed = 0;  // if this is a fault of the client's
    bool not_http2 = false;
  };
  struct Stream {
    bool open = true;
    bool client_ended = false;
    bool server_ended = false;
    uint64_t frames = 0;
    uint64_t bytes = 0;
  };

  void Cut(const std::vector<Piece>& pieces, bool from_server) {
    std::string all;
    std::vector<std::pair<size_t, size_t>> places;
    std::vector<absl::Time> times;
    for (size_t p = 0; p < pieces.size(); ++p) {
      if (pieces[p].from_server != from_server) continue;
      for (size_t b = 0; b < pieces[p].bytes.size(); ++b) {
        places.emplace_back(p, b);
        times.push_back(pieces[p].time);
      }
      all += pieces[p].bytes;
    }
    size_t at = 0;
    if (!from_server) {
      while (at < all.size() && at < kHttp2Preface.size()) {
        if (all[at] != kHttp2Preface[at]) {
          Moment moment;
          moment.place = places[at];
          moment.time = times[at];
          moment.num_passed = at;
          moment.not_http2 = true;
          moments_.push_back(moment);
          return;
        }
        ++at;
      }
    }
    while (at + kFrameHeaderBytes <= all.size()) {
      const auto byte = [&](size_t i) {
        return uint32_t{static_cast<uint8_t>(all[i])};
      };
      Moment moment;
      moment.from_server = from_server;
      moment.frame.length =
          byte(at) * 65536 + byte(at + 1) * 256 + byte(at + 2);
      moment.frame.type = static_cast<FrameType>(byte(at + 3));
      moment.frame.flags = static_cast<uint8_t>(byte(at + 4));
      moment.frame.stream = (byte(at + 5) % 128) * 16777216 +
                            byte(at + 6) * 65536 + byte(at + 7) * 256 +
                            byte(at + 8);
      const size_t payload = at + kFrameHeaderBytes;
      at = payload + moment.frame.length;
      moment.place = places[payload - 1];
      moment.time = times[payload - 1];
      moment.num_passed = payload - 1;
      moments_.push_back(moment);
      if (at > all.size()) return;
      moment.payload = true;
      moment.place = places[at - 1];
      moment.time = times[at - 1];
      moment.num_passed = at - 1;
      for (size_t i = 0; i < 4 && i < moment.frame.length; ++i) {
        moment.word |= byte(payload + i) << (24 - 8 * i);
      }
      moments_.push_back(moment);
    }
  }

  void Run() {
    for (const Moment& moment : moments_) {
      now_ = moment.time;
      // A fault that the server's frame brings stops the pieces behind it.
      num_passed_ = moment.from_server ? num_before_[moment.place.first]
                                       : moment.num_passed;
      if (moment.not_http2) {
        Fail(CloseReason::kNotHttp2, Http2Error::kProtocolError);
      } else if (moment.from_server) {
        Server(moment);
      } else if (moment.payload) {
        ClientPayload(moment);
      } else {
        Client(moment.frame);
      }
      if (result_.reason.has_value()) return;
    }
  }

  void Client(const FrameHeader& f) {
    if (f.length > limits_.max_frame_bytes) {
      return Fail(CloseReason::kFrameSize, Http2Error::kFrameSizeError);
    }
    const bool first = !result_.greeted;
    if (first && (f.type != FrameType::kSettings || f.Has(kFlagAck))) {
      return Protocol();
    }
    if (f.type == FrameType::kContinuation) {
      if (block_.empty() || block_stream_ != f.stream) return Protocol();
      block_.push_back(f.length);
      if (TooLarge()) {
        return Fail(CloseReason::kHeaderBlock, Http2Error::kEnhanceYourCalm);
      }
      if (f.Has(kFlagEndHeaders)) block_.clear();
      return;
    }
    if (!block_.empty()) return Protocol();
    const bool idle = f.stream % 2 == 0 || f.stream > last_;
    switch (static_cast<int>(f.type)) {
      case 0:
        return ClientData(f, idle);
      case 1:
        return ClientHeaders(f);
      case 2:
        if (f.stream == 0) return Protocol();
        return f.length == 5 ? Charge() : Size();
      case 3: {
        if (f.stream == 0) return Protocol();
        if (f.length != 4) return Size();
        if (idle) return Protocol();
        const auto found = streams_.find(f.stream);
        const bool open = found != streams_.end() && found->second.open;
        const bool reset = open && !found->second.server_ended;
        if (open) found->second.open = false;
        return reset ? Reset() : Answer();
      }
      case 4:
        if (f.stream != 0) return Protocol();
        if (f.Has(kFlagAck)) {
          acknowledged_ = acknowledged_ || f.length == 0;
          return f.length == 0 ? Answer() : Size();
        }
        if (f.length % 6 != 0) return Size();
        result_.greeted = true;
        return first ? void() : Charge();
      case 5:
        return Protocol();
      case 6:
        if (f.stream != 0) return Protocol();
        return f.length == 8 ? Answer() : Size();
      case 7:
        return f.stream == 0 ? Charge() : Protocol();
      case 8:
        if (f.length != 4) return Size();
        return f.stream != 0 && idle ? Protocol() : Answer();
      default:
        return Charge();
    }
  }

  void ClientData(const FrameHeader& f, bool idle) {
    if (f.stream == 0 || idle) return Protocol();
    const auto found = streams_.find(f.stream);
    if (found == streams_.end() || !found->second.open) return Answer();
    Stream& stream = found->second;
    if (stream.client_ended) {
      return Fail(CloseReason::kProtocol, Http2Error::kStreamClosed);
    }
    stream.frames += 1;
    stream.bytes += f.length;
    uint64_t unfinished = 0;
    for (const auto& [id, other] : streams_) {
      if (other.open && !other.client_ended) unfinished += other.bytes;
    }
    if (stream.bytes > limits_.max_request_bytes ||
        unfinished > limits_.max_unfinished_bytes) {
      return Fail(CloseReason::kRequestBytes, Http2Error::kEnhanceYourCalm);
    }
    const bool empty = f.length == 0 && !f.Has(kFlagEndStream);
    const bool tiny = stream.frames > limits_.free_data_frames &&
                      stream.bytes < stream.frames * limits_.least_data_bytes;
    if (empty || tiny || f.Has(kFlagPadded)) Charge();
    if (f.Has(kFlagEndStream)) End(stream.client_ended, stream);
  }

  void ClientHeaders(const FrameHeader& f) {
    if (f.stream % 2 == 0) return Protocol();
    const auto found = streams_.find(f.stream);
    if (f.stream > last_) {
      size_t num_open = 0;
      for (const auto& [id, stream] : streams_) num_open += stream.open;
      if (num_open >= limits_.max_streams) {
        return Fail(CloseReason::kStreams, Http2Error::kEnhanceYourCalm);
      }
      last_ = f.stream;
      streams_[f.stream].client_ended = f.Has(kFlagEndStream);
      Credit(2);
    } else if (found == streams_.end() || !found->second.open) {
      Answer();
    } else if (found->second.client_ended) {
      return Fail(CloseReason::kProtocol, Http2Error::kStreamClosed);
    } else if (!f.Has(kFlagEndStream)) {
      return Protocol();
    } else {
      End(found->second.client_ended, found->second);
    }
    if (result_.reason.has_value()) return;
    block_stream_ = f.stream;
    block_ = {f.length};
    if (TooLarge()) {
      return Fail(CloseReason::kHeaderBlock, Http2Error::kEnhanceYourCalm);
    }
    if (f.Has(kFlagEndHeaders)) block_.clear();
  }

  void ClientPayload(const Moment& moment) {
    if (moment.frame.type != FrameType::kWindowUpdate) return;
    const int64_t increment = moment.word & 0x7fffffff;
    if (increment == 0) return Protocol();
    if (moment.frame.stream == 0) window_ += increment;
    if (window_ > 0x7fffffff) {
      Fail(CloseReason::kProtocol, Http2Error::kFlowControlError);
    }
  }

  void Server(const Moment& moment) {
    const FrameHeader& f = moment.frame;
    const auto found = streams_.find(f.stream);
    const bool open = found != streams_.end() && found->second.open;
    if (moment.payload) {
      const bool resets = f.type == FrameType::kRstStream && f.length >= 4;
      if (resets && moment.word != 0) Reset();
      return;
    }
    switch (static_cast<int>(f.type)) {
      case 0:
      case 1:
        if (f.type == FrameType::kData) window_ -= f.length;
        Credit(4);
        if (f.Has(kFlagEndStream) && open) {
          End(found->second.server_ended, found->second);
        }
        return;
      case 3:
        Credit(4);
        if (open) found->second.open = false;
        return;
      case 4:
      case 6:
        if (!f.Has(kFlagAck)) Credit(1);
        return;
      default:
        return;
    }
  }

  static void End(bool& side, Stream& stream) {
    side = true;
    if (stream.client_ended && stream.server_ended) stream.open = false;
  }

  bool TooLarge() {
    uint64_t bytes = 0;
    for (const uint32_t length : block_) bytes += length;
    if (!acknowledged_) early_ += block_.back();
    if (early_ > limits_.max_early_header_bytes) return true;
    return bytes > limits_.max_header_block_bytes ||
           static_cast<int>(block_.size()) - 1 > limits_.max_continuations;
  }

  void Credit(size_t count) {
    credit_ = std::min<size_t>(1024, credit_ + count);
  }
  void Answer() {
    if (credit_ > 0) {
      --credit_;
    } else {
      Charge();
    }
  }
  // Whether one more now is too many within the window.
  bool Spend(std::vector<absl::Time>& times, size_t limit) const {
    times.push_back(now_);
    const auto recent = std::count_if(
        times.begin(), times.end(),
        [&](absl::Time time) { return now_ - time < limits_.window; });
    return static_cast<size_t>(recent) > limit;
  }
  void Charge() {
    if (Spend(charges_, limits_.max_control_frames)) {
      Fail(CloseReason::kControlFrames, Http2Error::kEnhanceYourCalm);
    }
  }
  void Reset() {
    if (Spend(resets_, limits_.max_resets)) {
      Fail(CloseReason::kResets, Http2Error::kEnhanceYourCalm);
    }
  }
  void Size() { Fail(CloseReason::kFrameSize, Http2Error::kFrameSizeError); }
  void Protocol() { Fail(CloseReason::kProtocol, Http2Error::kProtocolError); }
  void Fail(CloseReason reason, Http2Error error) {
    if (result_.reason.has_value()) return;
    result_.reason = reason;
    result_.error = error;
  }

  const ScanLimits limits_;
  std::vector<Moment> moments_;
  std::vector<size_t> num_before_;  // client's bytes, by piece
  size_t num_client_ = 0;
  size_t num_passed_ = 0;
  absl::Time now_;
  ScanResult result_;
  std::map<uint32_t, Stream> streams_;
  uint32_t last_ = 0;
  uint32_t block_stream_ = 0;
  std::vector<uint32_t> block_;  // lengths of the frames of the open block
  bool acknowledged_ = false;
  uint64_t early_ = 0;  // bytes of headers until then
  int64_t window_ = 65535;
  size_t credit_ = 0;
  std::vector<absl::Time> charges_;
  std::vector<absl::Time> resets_;
};

}  // namespace mesh::gateway::reference
