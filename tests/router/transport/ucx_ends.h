// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstring>
#include <string>

#include "absl/time/clock.h"
#include "core/clock.h"
#include "router/transport/data_plane.h"
#include "router/transport/ucx_transport.h"
#include "tests/router/transport_contract.h"

namespace mesh::router {

// Two UCX ends on one thread, on a clock that stands still unless told.
class UcxEnds : public ::testing::Test {
 protected:
  using Done = std::function<bool()>;

  UcxEnd Open(const UcxOptions& options = {}) {
    auto end = OpenUcx(options, clock_);
    EXPECT_OK(end);
    return *std::move(end);
  }

  absl::StatusOr<PeerId> Dial(UcxEnd& from, UcxEnd& to) {
    const auto offer = to.acceptor->Offer("test", from.local_address);
    if (!offer.ok()) return offer.status();
    return from.transport->Connect(ConnectAddress("ucx", *offer));
  }

  static absl::Status SendText(UcxEnd& from, PeerId to,
                               const std::string& text) {
    auto frame = from.transport->Allocate(text.size());
    if (!frame.ok()) return frame.status();
    std::memcpy((*frame)->Bytes().data(), text.data(), text.size());
    return from.transport->Send(to, *std::move(frame));
  }

  // Polls both ends until `done`; false if that takes too long.
  bool PollUntil(const Done& done) {
    const absl::Time deadline = absl::Now() + absl::Seconds(20);
    while (!done()) {
      if (absl::Now() > deadline) return false;
      PollOnce();
    }
    return true;
  }
  void PollOnce() {
    int num_frames = 0;
    if (a_.transport != nullptr) num_frames += a_.transport->Poll(a_inbox_);
    if (b_.transport != nullptr) num_frames += b_.transport->Poll(b_inbox_);
    UcxEnd& sleeper = b_.transport != nullptr ? b_ : a_;
    if (num_frames == 0) sleeper.transport->Wait(absl::Microseconds(50));
  }

  // A frame from a to b, who answers: all is well, whatever was before.
  void ExpectGoodExchange() {
    const auto to_b = Dial(a_, b_);
    ASSERT_OK(to_b);
    const size_t at_b = b_inbox_.texts.size();
    ASSERT_OK(SendText(a_, *to_b, "question"));
    ASSERT_TRUE(PollUntil([&] { return b_inbox_.texts.size() > at_b; }));
    EXPECT_EQ(b_inbox_.texts.back(), "question");
    const size_t at_a = a_inbox_.texts.size();
    ASSERT_OK(SendText(b_, b_inbox_.senders.back(), "answer"));
    ASSERT_TRUE(PollUntil([&] { return a_inbox_.texts.size() > at_a; }));
    EXPECT_EQ(a_inbox_.texts.back(), "answer");
    EXPECT_EQ(a_inbox_.senders.back(), *to_b);
  }

  FakeClock clock_;
  UcxEnd a_ = Open();
  UcxEnd b_ = Open();
  Inbox a_inbox_;
  Inbox b_inbox_;
};

}  // namespace mesh::router
