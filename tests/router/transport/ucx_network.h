// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "core/clock.h"
#include "core/status_macros.h"
#include "router/transport/data_plane.h"
#include "router/transport/ucx_transport.h"
#include "tests/router/transport_contract.h"

namespace mesh::router {

// UCX ends that find each other by name: the directory does what gRPC does in
// the mesh, and carries offers.
class UcxNetwork final : public TestNetwork {
 public:
  explicit UcxNetwork(UcxOptions options = {}) : options_(std::move(options)) {}

  // The new end of that name, which may be connected to by Dial().
  UcxEnd Open(const std::string& name) {
    auto end = OpenUcx(options_, clock_);
    EXPECT_OK(end);
    acceptors_[name] = end->acceptor;
    return *std::move(end);
  }

  absl::StatusOr<PeerId> Dial(Transport& from, const std::string& from_address,
                              const std::string& to) {
    if (to.empty()) return absl::InvalidArgumentError("empty name");
    const auto found = acceptors_.find(to);
    if (found == acceptors_.end()) return absl::UnavailableError("no such end");
    ASSIGN_OR_RETURN(const LinkOffer offer,
                     found->second->Offer("test", from_address));
    return from.Connect(ConnectAddress("ucx", offer));
  }

  std::unique_ptr<Transport> CreateEndpoint(
      const std::string& address) override;
  std::string DeadAddress() override {
    Open("dead");
    return "dead";
  }

 private:
  const UcxOptions options_;
  const RealClock clock_;
  std::map<std::string, std::shared_ptr<LinkAcceptor>> acceptors_;
};

// A UCX end whose Connect() takes names.
class NamedUcxEnd final : public Transport {
 public:
  NamedUcxEnd(UcxNetwork& network, UcxEnd end)
      : network_(network), end_(std::move(end)) {}

  absl::StatusOr<PeerId> Connect(const std::string& address) override {
    return network_.Dial(*end_.transport, end_.local_address, address);
  }
  absl::StatusOr<Frame> Allocate(size_t num_bytes) override {
    return end_.transport->Allocate(num_bytes);
  }
  absl::Status Send(PeerId to, Frame frame) override {
    return end_.transport->Send(to, std::move(frame));
  }
  int Poll(FrameHandler& handler) override {
    return end_.transport->Poll(handler);
  }
  void Wait(absl::Duration timeout) override { end_.transport->Wait(timeout); }
  void Wake() override { end_.transport->Wake(); }
  absl::Status Ping(PeerId peer, uint64_t cookie, size_t num_bytes) override {
    return end_.transport->Ping(peer, cookie, num_bytes);
  }
  size_t MaxFrameBytes() const override {
    return end_.transport->MaxFrameBytes();
  }
  TransportStats Stats() const override { return end_.transport->Stats(); }

 private:
  UcxNetwork& network_;
  UcxEnd end_;
};

inline std::unique_ptr<Transport> UcxNetwork::CreateEndpoint(
    const std::string& address) {
  return std::make_unique<NamedUcxEnd>(*this, Open(address));
}

}  // namespace mesh::router
