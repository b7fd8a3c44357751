// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/ids.h"
#include "router/transport/frame_buffer.h"

namespace mesh::router {

// Receives what Poll() finds. Called on the polling thread; must not block and
// must not call back into the transport. The frame belongs to the handler.
class FrameHandler {
 public:
  virtual ~FrameHandler() = default;
  virtual void OnFrame(PeerId from, Frame frame) = 0;

  // `peer` is gone: frames in flight to or from it will not arrive. Said once.
  virtual void OnPeerLost(PeerId peer, const absl::Status& reason) = 0;

  // `peer` has echoed the ping of this cookie.
  virtual void OnPong(PeerId /*peer*/, uint64_t /*cookie*/) {}
};

// Exact since the transport was made.
struct TransportStats {
  std::string lane;   // what carries the bytes, for example "tcp/lo"; empty
                      // while there is no link
  int num_links = 0;  // open now, both directions
  uint64_t frames_sent = 0;
  uint64_t bytes_sent = 0;  // of frames, pings and pongs
  uint64_t frames_received = 0;
  uint64_t bytes_received = 0;
  uint64_t hellos_rejected = 0;
  uint64_t messages_dropped = 0;  // unauthenticated, replayed or malformed
};

// Moves whole frames between nodes; knows nothing of what is in them.
//
// Delivery: a frame arrives whole and at most once, or not at all. Frames
// between two peers may be reordered, so receivers match on frame ids.
// Threads: all calls but Wake() and Stats() come from one thread, the
// data-plane thread of the owner; the two ends of a link may live on different
// threads. tests/router/transport_contract.h is the suite that every one
// passes.
class Transport {
 public:
  virtual ~Transport() = default;

  // Opens a link to the data-plane address of another node; a link that is
  // already open is used again. Errors: kUnavailable if nothing answers;
  // kInvalidArgument if the address is not of this transport's kind.
  virtual absl::StatusOr<PeerId> Connect(const std::string& address) = 0;

  // Takes a frame of `num_bytes` from the pool; its bytes are undefined.
  // Errors: kResourceExhausted while the pool is empty (poll, then retry);
  // kInvalidArgument if `num_bytes` is 0 or exceeds MaxFrameBytes().
  virtual absl::StatusOr<Frame> Allocate(size_t num_bytes) = 0;

  // Queues one frame and returns at once. The frame is released when the
  // network no longer needs it. Errors: kUnavailable if the peer is lost;
  // kInvalidArgument if there is no such peer.
  virtual absl::Status Send(PeerId to, Frame frame) = 0;

  // Makes progress and hands over every frame that has arrived. Never waits.
  // Returns the number of frames handed over.
  virtual int Poll(FrameHandler& handler) = 0;

  // Sleeps until Poll() may find something, Wake() is called, or `timeout` has
  // passed; may return early. A Wake() between two waits ends the second.
  virtual void Wait(absl::Duration timeout) = 0;
  // Any thread.
  virtual void Wake() = 0;

  // Asks `peer` to echo `num_bytes` bytes; a later Poll() says that it did.
  // Errors: those of Send() and Allocate().
  virtual absl::Status Ping(PeerId peer, uint64_t cookie, size_t num_bytes) = 0;

  virtual size_t MaxFrameBytes() const = 0;

  // Any thread.
  virtual TransportStats Stats() const = 0;
};

}  // namespace mesh::router
