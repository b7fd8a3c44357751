// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "router/transport/transport.h"
#include "tests/support/status_matchers.h"

namespace mesh::router {

// Some network under test: ends that can reach each other by address.
class TestNetwork {
 public:
  virtual ~TestNetwork() = default;
  virtual std::unique_ptr<Transport> CreateEndpoint(
      const std::string& address) = 0;
  // An address of the right kind where nothing answers.
  virtual std::string DeadAddress() = 0;
};

using MakeTestNetwork = std::function<std::unique_ptr<TestNetwork>()>;

// Keeps what a poll hands over.
class Inbox final : public FrameHandler {
 public:
  void OnFrame(PeerId from, Frame frame) override {
    const auto bytes = frame->Bytes();
    texts.emplace_back(reinterpret_cast<const char*>(bytes.data()),
                       bytes.size());
    aligned = aligned && reinterpret_cast<uintptr_t>(bytes.data()) % 64 == 0;
    senders.push_back(from);
    frames.push_back(std::move(frame));
  }
  void OnPeerLost(PeerId peer, const absl::Status& reason) override {
    EXPECT_FALSE(reason.ok());
    lost.push_back(peer);
  }

  std::vector<std::string> texts;
  std::vector<PeerId> senders;
  std::vector<PeerId> lost;
  void OnPong(PeerId peer, uint64_t cookie) override {
    pongs.push_back({peer, cookie});
  }

  std::vector<Frame> frames;
  std::vector<std::pair<PeerId, uint64_t>> pongs;
  bool aligned = true;
};

// What every Transport keeps to; see the class comment in transport.h. The
// cases are in transport_contract.cc; INSTANTIATE_TEST_SUITE_P with a
// MakeTestNetwork adds an implementation.
class TransportContract : public ::testing::TestWithParam<MakeTestNetwork> {
 protected:
  static absl::Status SendText(Transport& from, PeerId to,
                               const std::string& text) {
    auto frame = from.Allocate(text.size());
    if (!frame.ok()) return frame.status();
    EXPECT_EQ((*frame)->Bytes().size(), text.size());
    std::memcpy((*frame)->Bytes().data(), text.data(), text.size());
    return from.Send(to, *std::move(frame));
  }

  // Polls both ends until `inbox` holds `count` frames.
  void PollUntil(Transport& own, Inbox& inbox, Transport& other, size_t count) {
    EXPECT_TRUE(PollUntilTrue(own, inbox, other,
                              [&] { return inbox.texts.size() >= count; }));
    EXPECT_EQ(inbox.texts.size(), count);
  }

  // Polls both ends until `done`; false if that takes too long. Both are on
  // this thread, so neither may sleep for long.
  template <typename Done>
  bool PollUntilTrue(Transport& own, Inbox& inbox, Transport& other,
                     Done done) {
    Inbox ignored;
    const absl::Time deadline = absl::Now() + absl::Seconds(20);
    while (!done()) {
      if (absl::Now() > deadline) return false;
      const int num_frames = other.Poll(ignored) + own.Poll(inbox);
      if (num_frames == 0 && !done()) own.Wait(absl::Microseconds(50));
    }
    return true;
  }

  const std::unique_ptr<TestNetwork> network_ = GetParam()();
  std::unique_ptr<Transport> a_ = network_->CreateEndpoint("a");
  std::unique_ptr<Transport> b_ = network_->CreateEndpoint("b");
};

}  // namespace mesh::router
