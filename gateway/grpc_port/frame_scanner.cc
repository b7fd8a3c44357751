// SPDX-License-Identifier: Apache-2.0
#include "gateway/grpc_port/frame_scanner.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"

namespace mesh::gateway {
namespace {

// A client may answer a frame of data with window updates of the stream and of
// the connection, a ping that measures the bandwidth, and one to spare.
constexpr size_t kCreditOfData = 4;
// A window update for a message that a new stream expects, and its
// connection's.
constexpr size_t kCreditOfStream = 2;
constexpr size_t kMaxCredit = 1024;
constexpr int64_t kMaxWindow = std::numeric_limits<int32_t>::max();
constexpr uint32_t kBytesOfSetting = 6;

}  // namespace

FrameScanner::FrameScanner(const ScanLimits& limits, const Clock& clock)
    : limits_(limits),
      clock_(clock),
      resets_(limits.max_resets, limits.window),
      control_frames_(limits.max_control_frames, limits.window) {}

size_t FrameScanner::ScanClient(std::span<const uint8_t> bytes) {
  if (fault_.has_value()) return 0;
  std::span<const uint8_t> left = bytes;
  if (num_preface_bytes_ < kHttp2Preface.size()) {
    const size_t taken = ScanPreface(&left);
    if (fault_.has_value()) return taken;
  }
  for (;;) {
    const FrameCutter::Event event = client_frames_.Next(&left);
    if (event == FrameCutter::Event::kNone) return bytes.size();
    if (event == FrameCutter::Event::kHeader) {
      OnClientHeader(client_frames_.Header());
    } else {
      OnClientPayload();
    }
    if (fault_.has_value()) return bytes.size() - left.size() - 1;
  }
}

size_t FrameScanner::ScanPreface(std::span<const uint8_t>* bytes) {
  size_t taken = 0;
  while (taken < bytes->size() && num_preface_bytes_ < kHttp2Preface.size()) {
    if ((*bytes)[taken] !=
        static_cast<uint8_t>(kHttp2Preface[num_preface_bytes_])) {
      Fail(CloseReason::kNotHttp2, Http2Error::kProtocolError,
           "this port speaks HTTP/2 with prior knowledge only");
      return taken;
    }
    ++taken;
    ++num_preface_bytes_;
  }
  *bytes = bytes->subspan(taken);
  return taken;
}

void FrameScanner::OnClientHeader(const FrameHeader& frame) {
  if (frame.length > limits_.max_frame_bytes) {
    Fail(CloseReason::kFrameSize, Http2Error::kFrameSizeError,
         absl::StrCat("a frame of more than ", limits_.max_frame_bytes,
                      " bytes"));
    return;
  }
  if (!CheckOrder(frame)) return;
  switch (frame.type) {
    case FrameType::kData:
      return OnData(frame);
    case FrameType::kHeaders:
      return OnHeaders(frame);
    case FrameType::kPriority:
      if (!ExpectStream(frame, false) || !ExpectLength(frame, 5)) return;
      return ChargeControl();
    case FrameType::kRstStream:
      return OnRstStream(frame);
    case FrameType::kSettings:
      return OnSettings(frame);
    case FrameType::kPushPromise:
      return FailProtocol("PUSH_PROMISE from a client");
    case FrameType::kPing:
      if (!ExpectStream(frame, true) || !ExpectLength(frame, 8)) return;
      return UseCreditOrCharge();
    case FrameType::kGoaway:
      if (!ExpectStream(frame, true)) return;
      return ChargeControl();
    case FrameType::kWindowUpdate:
      return OnWindowUpdate(frame);
    case FrameType::kContinuation:
      return OnContinuation(frame);
  }
  ChargeControl();  // unknown: gRPC skips it
}

// SETTINGS first, and nothing within a header block.
bool FrameScanner::CheckOrder(const FrameHeader& frame) {
  if (!settings_seen_ &&
      (frame.type != FrameType::kSettings || frame.Has(kFlagAck))) {
    FailProtocol("the first frame must be SETTINGS");
    return false;
  }
  const bool continues =
      frame.type == FrameType::kContinuation && block_stream_ != 0;
  if (block_stream_ != 0 && (!continues || frame.stream != block_stream_)) {
    FailProtocol("a header block must not be interrupted");
    return false;
  }
  if (frame.type == FrameType::kContinuation && !continues) {
    FailProtocol("CONTINUATION without a header block");
    return false;
  }
  return true;
}

void FrameScanner::OnClientPayload() {
  const FrameHeader& frame = client_frames_.Header();
  if (frame.type != FrameType::kWindowUpdate) return;
  const int64_t increment = ReadUint32(client_frames_.Peek()) & kMaxWindow;
  if (increment == 0) return FailProtocol("a window update of nothing");
  if (frame.stream != 0) return;
  connection_window_ += increment;
  if (connection_window_ > kMaxWindow) {
    Fail(CloseReason::kProtocol, Http2Error::kFlowControlError,
         "the connection's window is beyond 2^31 - 1");
  }
}

void FrameScanner::OnData(const FrameHeader& frame) {
  if (!ExpectStream(frame, false)) return;
  if (IsIdle(frame.stream)) return FailProtocol("DATA of an idle stream");
  const auto found = streams_.find(frame.stream);
  // The server may have ended it while the frame was on its way.
  if (found == streams_.end()) return UseCreditOrCharge();
  Stream& stream = found->second;
  if (stream.client_ended) {
    return Fail(CloseReason::kProtocol, Http2Error::kStreamClosed,
                "DATA after the end of its stream");
  }
  const bool ends = frame.Has(kFlagEndStream);
  ++stream.num_data_frames;
  if (!CountRequestBytes(frame.length, stream)) return;
  const bool tiny =
      stream.num_data_frames > limits_.free_data_frames &&
      stream.num_data_bytes / limits_.least_data_bytes < stream.num_data_frames;
  // gRPC never pads, and refuses those that do.
  if ((frame.length == 0 && !ends) || tiny || frame.Has(kFlagPadded)) {
    ChargeControl();
  }
  if (ends) EndClientSide(found);
}

bool FrameScanner::CountRequestBytes(uint32_t bytes, Stream& stream) {
  stream.num_data_bytes += bytes;
  unfinished_bytes_ += bytes;
  if (stream.num_data_bytes <= limits_.max_request_bytes &&
      unfinished_bytes_ <= limits_.max_unfinished_bytes) {
    return true;
  }
  Fail(CloseReason::kRequestBytes, Http2Error::kEnhanceYourCalm,
       absl::StrCat("more than ", limits_.max_request_bytes,
                    " bytes of a request, or ", limits_.max_unfinished_bytes,
                    " of requests that have not ended"));
  return false;
}

void FrameScanner::OnHeaders(const FrameHeader& frame) {
  if (frame.stream % 2 == 0) {
    return FailProtocol("a client's streams have odd numbers");
  }
  if (frame.stream > last_stream_) {
    OnNewStream(frame);
  } else if (const auto found = streams_.find(frame.stream);
             found == streams_.end()) {
    UseCreditOrCharge();  // trailers that crossed the server's end
  } else if (found->second.client_ended) {
    Fail(CloseReason::kProtocol, Http2Error::kStreamClosed,
         "HEADERS after the end of their stream");
  } else if (!frame.Has(kFlagEndStream)) {
    FailProtocol("trailers must end their stream");
  } else {
    EndClientSide(found);
  }
  if (!fault_.has_value()) StartHeaderBlock(frame);
}

void FrameScanner::OnNewStream(const FrameHeader& frame) {
  if (streams_.size() >= limits_.max_streams) {
    return Fail(
        CloseReason::kStreams, Http2Error::kEnhanceYourCalm,
        absl::StrCat("more than ", limits_.max_streams, " streams at a time"));
  }
  last_stream_ = frame.stream;
  streams_[frame.stream].client_ended = frame.Has(kFlagEndStream);
  AddCredit(kCreditOfStream);
}

void FrameScanner::StartHeaderBlock(const FrameHeader& frame) {
  if (frame.length > limits_.max_header_block_bytes) {
    return Fail(CloseReason::kHeaderBlock, Http2Error::kEnhanceYourCalm,
                absl::StrCat("more than ", limits_.max_header_block_bytes,
                             " bytes of headers"));
  }
  if (!CheckEarlyHeaders(frame) || frame.Has(kFlagEndHeaders)) return;
  block_stream_ = frame.stream;
  block_bytes_ = frame.length;
  num_continuations_ = 0;
}

void FrameScanner::OnContinuation(const FrameHeader& frame) {
  block_bytes_ += frame.length;
  ++num_continuations_;
  if (block_bytes_ > limits_.max_header_block_bytes ||
      num_continuations_ > limits_.max_continuations) {
    return Fail(CloseReason::kHeaderBlock, Http2Error::kEnhanceYourCalm,
                absl::StrCat("more than ", limits_.max_header_block_bytes,
                             " bytes of headers, or in more than ",
                             limits_.max_continuations, " CONTINUATIONs"));
  }
  if (!CheckEarlyHeaders(frame)) return;
  if (frame.Has(kFlagEndHeaders)) block_stream_ = 0;
}

bool FrameScanner::CheckEarlyHeaders(const FrameHeader& frame) {
  if (settings_acknowledged_) return true;
  early_header_bytes_ += frame.length;
  if (early_header_bytes_ <= limits_.max_early_header_bytes) return true;
  Fail(CloseReason::kHeaderBlock, Http2Error::kEnhanceYourCalm,
       absl::StrCat("more than ", limits_.max_early_header_bytes,
                    " bytes of headers before SETTINGS are acknowledged"));
  return false;
}

void FrameScanner::OnRstStream(const FrameHeader& frame) {
  if (!ExpectStream(frame, false) || !ExpectLength(frame, 4)) return;
  if (IsIdle(frame.stream)) return FailProtocol("reset of an idle stream");
  const auto found = streams_.find(frame.stream);
  const bool gives_up = found != streams_.end() && !found->second.server_ended;
  if (found != streams_.end()) Forget(found);
  if (gives_up) {
    ChargeReset();
  } else {
    UseCreditOrCharge();  // the server was done with it
  }
}

void FrameScanner::OnSettings(const FrameHeader& frame) {
  if (!ExpectStream(frame, true)) return;
  if (frame.Has(kFlagAck)) {
    if (!ExpectLength(frame, 0)) return;
    settings_acknowledged_ = true;
    return UseCreditOrCharge();
  }
  if (frame.length % kBytesOfSetting != 0) {
    return Fail(CloseReason::kFrameSize, Http2Error::kFrameSizeError,
                "SETTINGS of a length that is not a multiple of 6");
  }
  if (settings_seen_) ChargeControl();
  settings_seen_ = true;
}

void FrameScanner::OnWindowUpdate(const FrameHeader& frame) {
  if (!ExpectLength(frame, 4)) return;
  if (frame.stream != 0 && IsIdle(frame.stream)) {
    return FailProtocol("window update of an idle stream");
  }
  UseCreditOrCharge();
}

void FrameScanner::EndClientSide(Streams::iterator stream) {
  unfinished_bytes_ -= stream->second.num_data_bytes;
  stream->second.client_ended = true;
  if (stream->second.server_ended) streams_.erase(stream);
}

void FrameScanner::Forget(Streams::iterator stream) {
  if (!stream->second.client_ended) {
    unfinished_bytes_ -= stream->second.num_data_bytes;
  }
  streams_.erase(stream);
}

void FrameScanner::ObserveServer(std::span<const uint8_t> bytes) {
  for (;;) {
    switch (server_frames_.Next(&bytes)) {
      case FrameCutter::Event::kNone:
        return;
      case FrameCutter::Event::kHeader:
        OnServerHeader(server_frames_.Header());
        break;
      case FrameCutter::Event::kPayload:
        if (server_frames_.Header().type == FrameType::kRstStream &&
            server_frames_.Peek().size() >= 4 &&
            ReadUint32(server_frames_.Peek()) != 0) {
          ChargeReset();
        }
        break;
    }
  }
}

void FrameScanner::OnServerHeader(const FrameHeader& frame) {
  const auto found = streams_.find(frame.stream);
  switch (frame.type) {
    case FrameType::kData:
      connection_window_ -= frame.length;
      AddCredit(kCreditOfData);
      break;
    case FrameType::kHeaders:
      AddCredit(kCreditOfData);
      break;
    case FrameType::kRstStream:
      // What the client sent meanwhile may still come.
      AddCredit(kCreditOfData);
      if (found != streams_.end()) Forget(found);
      return;
    case FrameType::kSettings:
    case FrameType::kPing:
      if (!frame.Has(kFlagAck)) AddCredit(1);
      return;
    default:
      return;
  }
  if (!frame.Has(kFlagEndStream) || found == streams_.end()) return;
  found->second.server_ended = true;
  if (found->second.client_ended) streams_.erase(found);
}

bool FrameScanner::ExpectLength(const FrameHeader& frame, uint32_t length) {
  if (frame.length == length) return true;
  Fail(CloseReason::kFrameSize, Http2Error::kFrameSizeError,
       absl::StrCat("a frame of type ", static_cast<int>(frame.type),
                    " must have ", length, " bytes"));
  return false;
}

bool FrameScanner::ExpectStream(const FrameHeader& frame, bool of_connection) {
  if ((frame.stream == 0) == of_connection) return true;
  FailProtocol(absl::StrCat(
      "a frame of type ", static_cast<int>(frame.type),
      of_connection ? " belongs to no stream" : " must belong to a stream"));
  return false;
}

void FrameScanner::AddCredit(size_t frames) {
  credit_ = std::min(credit_ + frames, kMaxCredit);
}

void FrameScanner::UseCreditOrCharge() {
  if (credit_ == 0) return ChargeControl();
  --credit_;
}

void FrameScanner::ChargeControl() {
  if (control_frames_.Charge(clock_.Now())) return;
  Fail(CloseReason::kControlFrames, Http2Error::kEnhanceYourCalm,
       absl::StrCat("more than ", limits_.max_control_frames,
                    " control frames in ",
                    absl::FormatDuration(limits_.window)));
}

void FrameScanner::ChargeReset() {
  if (resets_.Charge(clock_.Now())) return;
  Fail(CloseReason::kResets, Http2Error::kEnhanceYourCalm,
       absl::StrCat("more than ", limits_.max_resets, " streams given up in ",
                    absl::FormatDuration(limits_.window)));
}

void FrameScanner::Fail(CloseReason reason, Http2Error error,
                        std::string debug) {
  if (fault_.has_value()) return;
  fault_ = ScanFault{reason, error, std::move(debug)};
}

void FrameScanner::FailProtocol(std::string debug) {
  Fail(CloseReason::kProtocol, Http2Error::kProtocolError, std::move(debug));
}

}  // namespace mesh::gateway
