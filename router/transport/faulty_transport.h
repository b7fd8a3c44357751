// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/time/time.h"
#include "core/clock.h"
#include "router/transport/transport.h"

namespace mesh::router {

// What happens to frames that are sent; each a probability in [0, 1].
struct FaultPlan {
  double drop = 0;
  double duplicate = 0;
  double corrupt = 0;  // flips one bit
  double delay = 0;    // holds the frame for up to `max_delay`
  absl::Duration max_delay = absl::Milliseconds(10);
  bool reorder = false;  // frames that leave together leave in random order
};

// Another transport with faults, for tests and drills. What happens to the n-th
// frame is a pure function of (seed, n), so a run can be repeated. With delay
// or reorder set, frames leave during Poll().
// Owned by one thread; `inner` and `clock` must outlive it.
class FaultyTransport final : public Transport {
 public:
  FaultyTransport(Transport& inner, const Clock& clock, const FaultPlan& plan,
                  uint64_t seed);

  absl::StatusOr<PeerId> Connect(const std::string& address) override;
  absl::StatusOr<Frame> Allocate(size_t num_bytes) override;
  absl::Status Send(PeerId to, Frame frame) override;
  int Poll(FrameHandler& handler) override;
  void Wait(absl::Duration timeout) override;
  void Wake() override { inner_.Wake(); }
  // A ping is not a frame: it only feels silence and loss.
  absl::Status Ping(PeerId peer, uint64_t cookie, size_t num_bytes) override;
  size_t MaxFrameBytes() const override { return inner_.MaxFrameBytes(); }
  TransportStats Stats() const override { return inner_.Stats(); }

  void SetPlan(const FaultPlan& plan) { plan_ = plan; }
  // Nothing reaches `peer` or comes from it any more, and nobody says so.
  void Silence(PeerId peer) { silent_.insert(peer); }
  void Restore(PeerId peer) { silent_.erase(peer); }
  // As if the connection broke: the next Poll() reports it.
  void LosePeer(PeerId peer);

  int64_t NumFaults() const { return num_faults_; }

 private:
  class Filter;
  struct Held {
    absl::Time due;
    uint32_t order = 0;  // rank among the frames that leave together
    PeerId to;
    Frame frame;
  };

  // The n-th random number of the current frame, in [0, 1).
  double Draw(uint32_t n) const;
  Frame CopyOf(Frame& frame);
  void Leave(PeerId to, Frame frame, uint32_t draw);
  void SendDue();

  Transport& inner_;
  const Clock& clock_;
  FaultPlan plan_;
  const uint64_t seed_;
  uint64_t num_sent_ = 0;
  int64_t num_faults_ = 0;
  std::vector<Held> held_;
  absl::flat_hash_set<PeerId> silent_;
  absl::flat_hash_set<PeerId> lost_;
  std::vector<PeerId> lost_unreported_;
};

}  // namespace mesh::router
