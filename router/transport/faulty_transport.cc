// SPDX-License-Identifier: Apache-2.0
#include "router/transport/faulty_transport.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/philox.h"

namespace mesh::router {
namespace {

// What each random number of a frame is for.
enum Draws : uint32_t {
  kDrop = 0,
  kDuplicate = 1,
  kCorrupt = 2,
  kCorruptBit = 3,
  kFirstCopy = 4,
  kSecondCopy = 7,  // kDelay, kDelayTime, kOrder of each copy
};

}  // namespace

// Keeps from the owner what silenced and lost peers still send.
class FaultyTransport::Filter final : public FrameHandler {
 public:
  Filter(const FaultyTransport& transport, FrameHandler& handler)
      : transport_(transport), handler_(handler) {}

  void OnFrame(PeerId from, Frame frame) override {
    if (transport_.silent_.contains(from) || transport_.lost_.contains(from)) {
      return;
    }
    ++num_frames_;
    handler_.OnFrame(from, std::move(frame));
  }
  void OnPeerLost(PeerId peer, const absl::Status& reason) override {
    if (transport_.silent_.contains(peer) || transport_.lost_.contains(peer)) {
      return;
    }
    handler_.OnPeerLost(peer, reason);
  }
  void OnPong(PeerId peer, uint64_t cookie) override {
    if (transport_.silent_.contains(peer) || transport_.lost_.contains(peer)) {
      return;
    }
    handler_.OnPong(peer, cookie);
  }
  int NumFrames() const { return num_frames_; }

 private:
  const FaultyTransport& transport_;
  FrameHandler& handler_;
  int num_frames_ = 0;
};

FaultyTransport::FaultyTransport(Transport& inner, const Clock& clock,
                                 const FaultPlan& plan, uint64_t seed)
    : inner_(inner), clock_(clock), plan_(plan), seed_(seed) {}

absl::StatusOr<PeerId> FaultyTransport::Connect(const std::string& address) {
  return inner_.Connect(address);
}

absl::StatusOr<Frame> FaultyTransport::Allocate(size_t num_bytes) {
  return inner_.Allocate(num_bytes);
}

double FaultyTransport::Draw(uint32_t n) const {
  const auto words = Philox4x32(
      {static_cast<uint32_t>(num_sent_), static_cast<uint32_t>(num_sent_ >> 32),
       n, 0},
      {static_cast<uint32_t>(seed_), static_cast<uint32_t>(seed_ >> 32)});
  return UniformFloat(words[0]);
}

Frame FaultyTransport::CopyOf(Frame& frame) {
  const auto bytes = frame->Bytes();
  auto copy = inner_.Allocate(bytes.size());
  if (!copy.ok()) return nullptr;
  std::memcpy((*copy)->Bytes().data(), bytes.data(), bytes.size());
  return *std::move(copy);
}

absl::Status FaultyTransport::Send(PeerId to, Frame frame) {
  if (lost_.contains(to)) return absl::UnavailableError("peer is lost");
  ++num_sent_;
  if (silent_.contains(to) || Draw(kDrop) < plan_.drop) {
    ++num_faults_;
    return absl::OkStatus();
  }
  if (Draw(kDuplicate) < plan_.duplicate) {
    ++num_faults_;
    if (Frame copy = CopyOf(frame)) Leave(to, std::move(copy), kSecondCopy);
  }
  if (Draw(kCorrupt) < plan_.corrupt) {
    ++num_faults_;
    const auto bytes = frame->Bytes();
    const size_t bit = static_cast<size_t>(
        Draw(kCorruptBit) * static_cast<double>(bytes.size() * 8));
    bytes[bit / 8] ^= std::byte{1} << (bit % 8);
  }
  if (plan_.delay == 0 && !plan_.reorder) {
    return inner_.Send(to, std::move(frame));
  }
  Leave(to, std::move(frame), kFirstCopy);
  return absl::OkStatus();
}

void FaultyTransport::Leave(PeerId to, Frame frame, uint32_t draw) {
  absl::Time due = clock_.Now();
  if (Draw(draw) < plan_.delay) {
    ++num_faults_;
    due += plan_.max_delay * Draw(draw + 1);
  }
  const uint32_t order =
      plan_.reorder ? static_cast<uint32_t>(Draw(draw + 2) * 0x1p24) : 0;
  held_.push_back({due, order, to, std::move(frame)});
}

void FaultyTransport::SendDue() {
  const absl::Time now = clock_.Now();
  const auto later =
      std::stable_partition(held_.begin(), held_.end(),
                            [&](const Held& held) { return held.due <= now; });
  std::stable_sort(held_.begin(), later, [](const Held& a, const Held& b) {
    return a.order < b.order;
  });
  for (auto it = held_.begin(); it != later; ++it) {
    if (silent_.contains(it->to) || lost_.contains(it->to)) continue;
    // A peer that is gone meanwhile is reported by the poll.
    inner_.Send(it->to, std::move(it->frame)).IgnoreError();
  }
  held_.erase(held_.begin(), later);
}

int FaultyTransport::Poll(FrameHandler& handler) {
  SendDue();
  for (const PeerId peer : std::exchange(lost_unreported_, {})) {
    handler.OnPeerLost(peer, absl::UnavailableError("peer is lost"));
  }
  Filter filter(*this, handler);
  inner_.Poll(filter);
  return filter.NumFrames();
}

void FaultyTransport::Wait(absl::Duration timeout) {
  if (!lost_unreported_.empty()) return;
  for (const Held& held : held_) {
    timeout = std::min(timeout, held.due - clock_.Now());
  }
  if (timeout > absl::ZeroDuration()) inner_.Wait(timeout);
}

absl::Status FaultyTransport::Ping(PeerId peer, uint64_t cookie,
                                   size_t num_bytes) {
  if (lost_.contains(peer)) return absl::UnavailableError("peer is lost");
  if (silent_.contains(peer)) {
    ++num_faults_;
    return absl::OkStatus();
  }
  return inner_.Ping(peer, cookie, num_bytes);
}

void FaultyTransport::LosePeer(PeerId peer) {
  if (lost_.insert(peer).second) lost_unreported_.push_back(peer);
}

}  // namespace mesh::router
