// SPDX-License-Identifier: Apache-2.0
#include "tests/router/transport_contract.h"

#include "core/clock.h"
#include "router/transport/faulty_transport.h"
#include "router/transport/in_process_transport.h"

namespace mesh::router {
namespace {

class InProcess final : public TestNetwork {
 public:
  std::unique_ptr<Transport> CreateEndpoint(
      const std::string& address) override {
    return *network_.CreateEndpoint(address);
  }
  std::string DeadAddress() override { return "nobody"; }

 private:
  InProcessNetwork network_{{.max_frame_bytes = 100000}};
};

// A FaultyTransport that owns what it wraps.
class Owning final : public Transport {
 public:
  Owning(std::unique_ptr<Transport> inner, const Clock& clock)
      : inner_(std::move(inner)), faulty_(*inner_, clock, {}, 1) {}
  absl::StatusOr<PeerId> Connect(const std::string& address) override {
    return faulty_.Connect(address);
  }
  absl::StatusOr<Frame> Allocate(size_t num_bytes) override {
    return faulty_.Allocate(num_bytes);
  }
  absl::Status Send(PeerId to, Frame frame) override {
    return faulty_.Send(to, std::move(frame));
  }
  int Poll(FrameHandler& handler) override { return faulty_.Poll(handler); }
  void Wait(absl::Duration timeout) override { faulty_.Wait(timeout); }
  void Wake() override { faulty_.Wake(); }
  absl::Status Ping(PeerId peer, uint64_t cookie, size_t num_bytes) override {
    return faulty_.Ping(peer, cookie, num_bytes);
  }
  size_t MaxFrameBytes() const override { return faulty_.MaxFrameBytes(); }
  TransportStats Stats() const override { return faulty_.Stats(); }

 private:
  const std::unique_ptr<Transport> inner_;
  FaultyTransport faulty_;
};

class FaultyWithoutFaults final : public TestNetwork {
 public:
  std::unique_ptr<Transport> CreateEndpoint(
      const std::string& address) override {
    return std::make_unique<Owning>(network_.CreateEndpoint(address), clock_);
  }
  std::string DeadAddress() override { return network_.DeadAddress(); }

 private:
  InProcess network_;
  FakeClock clock_;
};

INSTANTIATE_TEST_SUITE_P(InProcess, TransportContract, ::testing::Values([] {
                           return std::make_unique<InProcess>();
                         }));
INSTANTIATE_TEST_SUITE_P(FaultyWithoutFaults, TransportContract,
                         ::testing::Values([] {
                           return std::make_unique<FaultyWithoutFaults>();
                         }));

TEST(InProcessNetwork, RefusesATakenAddress) {
  InProcessNetwork network;
  const auto first = network.CreateEndpoint("a");
  ASSERT_OK(first);
  EXPECT_THAT(network.CreateEndpoint("a"),
              StatusIs(absl::StatusCode::kAlreadyExists));
  EXPECT_THAT(network.CreateEndpoint(""),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(InProcessNetwork, FramesOutliveEndpointsAndNetwork) {
  Frame frame;
  {
    InProcessNetwork network;
    const auto endpoint = network.CreateEndpoint("a");
    ASSERT_OK(endpoint);
    frame = *(*endpoint)->Allocate(100);
  }
  frame->Bytes()[99] = std::byte{1};
  EXPECT_EQ(frame->Bytes()[99], std::byte{1});
}

}  // namespace
}  // namespace mesh::router
