// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "core/clock.h"
#include "gateway/grpc_port/close_reason.h"
#include "gateway/grpc_port/http2_frame.h"
#include "gateway/grpc_port/sliding_budget.h"

namespace mesh::gateway {

// What one connection may do; docs/grpc_port.md has the reasons.
struct ScanLimits {
  uint32_t max_frame_bytes = 16384;  // what gRPC advertises
  uint32_t max_header_block_bytes = 16 << 10;
  int max_continuations = 8;  // of one header block
  // Of all header blocks until the client has acknowledged SETTINGS: before
  // that, the server's own limit of what they unpack to does not hold.
  uint32_t max_early_header_bytes = 64 << 10;
  size_t max_streams = 100;  // at the same time
  // Of one request, and of all of a connection that have not ended: gRPC keeps
  // a message whole before it looks at its length.
  uint64_t max_request_bytes = 8 << 20;
  uint64_t max_unfinished_bytes = 32 << 20;
  // In any `window`: streams given up, by either side; control frames that no
  // frame of the server's accounts for.
  size_t max_resets = 100;
  size_t max_control_frames = 200;
  absl::Duration window = absl::Seconds(10);
  // A stream's DATA frames beyond the first ones of which the average is
  // smaller than this count as control frames.
  uint32_t free_data_frames = 64;
  uint32_t least_data_bytes = 64;
};

// Why a connection must end.
struct ScanFault {
  CloseReason reason = CloseReason::kProtocol;
  Http2Error error = Http2Error::kNoError;
  std::string debug;  // for the client's developers
};

// Reads the frame headers of an HTTP/2 connection from the server's side, and
// says when the client has gone beyond the limits or the framing rules of RFC
// 9113; it knows no HPACK, so what is in the headers is gRPC's to judge. What
// it lets through does not depend on how the bytes were cut into pieces.
// Memory: the open streams and the times of the two budgets. Used by one
// thread.
class FrameScanner {
 public:
  // `clock` must outlive this.
  FrameScanner(const ScanLimits& limits, const Clock& clock);

  // How many of these next bytes of the client may be passed on: all, or those
  // before the byte that brought the fault; none after a fault.
  size_t ScanClient(std::span<const uint8_t> bytes);

  // Takes note of the next bytes of the server's, which are trusted to be well
  // formed: control frames that answer them are free. May bring a fault, since
  // a client can make the server reset its streams.
  void ObserveServer(std::span<const uint8_t> bytes);

  const std::optional<ScanFault>& Fault() const { return fault_; }
  // Preface and SETTINGS have come.
  bool Greeted() const { return settings_seen_; }
  size_t NumOpenStreams() const { return streams_.size(); }
  // The newest that the client has opened.
  uint32_t LastStream() const { return last_stream_; }
  // A frame of our own may be put after the server's bytes so far.
  bool ServerAtBoundary() const { return server_frames_.AtBoundary(); }

 private:
  struct Stream {
    bool client_ended = false;
    bool server_ended = false;
    uint32_t num_data_frames = 0;
    uint64_t num_data_bytes = 0;
  };

  size_t ScanPreface(std::span<const uint8_t>* bytes);
  void OnClientHeader(const FrameHeader& frame);
  void OnClientPayload();
  bool CheckOrder(const FrameHeader& frame);
  void OnData(const FrameHeader& frame);
  void OnHeaders(const FrameHeader& frame);
  void OnNewStream(const FrameHeader& frame);
  void OnRstStream(const FrameHeader& frame);
  void OnSettings(const FrameHeader& frame);
  void OnWindowUpdate(const FrameHeader& frame);
  void OnContinuation(const FrameHeader& frame);
  void StartHeaderBlock(const FrameHeader& frame);
  bool CheckEarlyHeaders(const FrameHeader& frame);
  void OnServerHeader(const FrameHeader& frame);
  bool CountRequestBytes(uint32_t bytes, Stream& stream);
  using Streams = absl::flat_hash_map<uint32_t, Stream>;
  void EndClientSide(Streams::iterator stream);
  void Forget(Streams::iterator stream);

  // False and a fault if not.
  bool ExpectLength(const FrameHeader& frame, uint32_t length);
  bool ExpectStream(const FrameHeader& frame, bool of_connection);
  bool IsIdle(uint32_t id) const { return id > last_stream_ || id % 2 == 0; }

  void AddCredit(size_t frames);
  void UseCreditOrCharge();
  void ChargeControl();
  void ChargeReset();
  void Fail(CloseReason reason, Http2Error error, std::string debug);
  void FailProtocol(std::string debug);

  const ScanLimits limits_;
  const Clock& clock_;
  FrameCutter client_frames_;
  FrameCutter server_frames_;
  std::optional<ScanFault> fault_;
  size_t num_preface_bytes_ = 0;
  bool settings_seen_ = false;
  bool settings_acknowledged_ = false;
  uint32_t early_header_bytes_ = 0;
  uint32_t last_stream_ = 0;
  Streams streams_;                // open ones
  uint64_t unfinished_bytes_ = 0;  // DATA of those the client has not ended
  // Of the header block that goes on; 0: none does.
  uint32_t block_stream_ = 0;
  uint32_t block_bytes_ = 0;
  int num_continuations_ = 0;
  int64_t connection_window_ = 65535;  // what the server may still send
  // Control frames that the server's frames account for.
  size_t credit_ = 0;
  SlidingBudget resets_;
  SlidingBudget control_frames_;
};

}  // namespace mesh::gateway
