// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "attention-node/expert_links.h"
#include "tests/support/moe_mesh.h"
#include "tests/support/status_matchers.h"

namespace mesh::attention {

// Notes what the engine thread says.
class RecordingListener : public ExpertLinks::Listener {
 public:
  void OnConnected(NodeId node) override { connected.push_back(node.value); }
  void OnLost(NodeId node, const absl::Status& reason) override {
    EXPECT_FALSE(reason.ok());
    lost.push_back(node.value);
  }
  void OnAdopted(uint64_t epoch) override { adopted.push_back(epoch); }

  std::vector<uint32_t> connected;
  std::vector<uint32_t> lost;
  std::vector<uint64_t> adopted;
};

// Forwards to another transport, and runs expert nodes while it waits.
class PollingTransport final : public router::Transport {
 public:
  explicit PollingTransport(std::unique_ptr<router::Transport> inner)
      : inner_(std::move(inner)) {}

  absl::StatusOr<PeerId> Connect(const std::string& address) override {
    return inner_->Connect(address);
  }
  absl::StatusOr<router::Frame> Allocate(size_t num_bytes) override {
    return inner_->Allocate(num_bytes);
  }
  absl::Status Send(PeerId to, router::Frame frame) override {
    return inner_->Send(to, std::move(frame));
  }
  int Poll(router::FrameHandler& handler) override {
    return inner_->Poll(handler);
  }
  void Wait(absl::Duration timeout) override {
    if (on_wait) on_wait(timeout);
  }
  void Wake() override { ++num_wakes; }
  absl::Status Ping(PeerId peer, uint64_t cookie, size_t num_bytes) override {
    return inner_->Ping(peer, cookie, num_bytes);
  }
  size_t MaxFrameBytes() const override { return inner_->MaxFrameBytes(); }
  router::TransportStats Stats() const override { return inner_->Stats(); }

  std::function<void(absl::Duration)> on_wait;
  std::atomic<int> num_wakes = 0;

 private:
  std::unique_ptr<router::Transport> inner_;
};

// Expert nodes of the small MoE model, each with all experts, and links to
// them on virtual time: a wait polls every node and costs a millisecond.
class ExpertLinksHarness {
 public:
  static constexpr uint32_t kFirstNode = 100;

  struct Node {
    std::unique_ptr<router::Transport> endpoint;
    std::unique_ptr<expert::ExpertShard> shard;
    std::unique_ptr<expert::ExpertNode> node;
  };

  explicit ExpertLinksHarness(const MoeModel& moe_model, int num_nodes)
      : model(moe_model), transport(*network.CreateEndpoint("attention")) {
    transport.on_wait = [this](absl::Duration) { PollNodes(); };
    links = *ExpertLinks::Create({.wire = Wire(),
                                  .incarnation = 5,
                                  .orphan_wait = absl::Seconds(30),
                                  .hedge_after = absl::Milliseconds(20)},
                                 transport, clock, listener);
    for (int n = 0; n < num_nodes; ++n) AddNode(n);
  }

  router::WireLimits Wire() const {
    return {.dtype = model.Wire(),
            .hidden_size = MoeModel::kHiddenSize,
            .num_layers = MoeModel::kNumLayers,
            .num_experts = MoeModel::kNumExperts,
            .num_groups = 4};
  }

  static NodeId IdOf(int n) {
    return NodeId{kFirstNode + static_cast<uint32_t>(n)};
  }
  static std::string AddressOf(int n) { return "expert-" + std::to_string(n); }

  void AddNode(int n) {
    Node& node = nodes.emplace_back();
    node.endpoint = *network.CreateEndpoint(AddressOf(n));
    node.shard = std::make_unique<expert::ExpertShard>(model.kernels, pool,
                                                       MoeModel::kHiddenSize);
    for (uint16_t layer = 0; layer < MoeModel::kNumLayers; ++layer) {
      for (uint16_t e = 0; e < MoeModel::kNumExperts; ++e) {
        EXPECT_OK(
            node.shard->Load(LayerId{layer}, ExpertId{e},
                             model.At(LayerId{layer}, ExpertId{e}).packed));
      }
    }
    node.node = *expert::ExpertNode::Create({.wire = Wire()}, *node.shard,
                                            *node.endpoint, clock);
  }

  // Every expert on each of the nodes.
  std::shared_ptr<const router::Placement> TableOf(std::vector<int> hosts,
                                                   uint64_t epoch) const {
    std::vector<NodeId> ids;
    for (const int n : hosts) ids.push_back(IdOf(n));
    const int replicas = static_cast<int>(ids.size());
    return *router::EvenPlacement({.epoch = epoch,
                                   .layers = {LayerId{0}, LayerId{1}},
                                   .num_experts = MoeModel::kNumExperts,
                                   .num_groups = 4,
                                   .nodes = std::move(ids),
                                   .num_replicas = replicas});
  }

  void PollNodes() {
    clock.Advance(absl::Milliseconds(1));
    if (on_poll) on_poll();
    for (Node& node : nodes) {
      if (node.node != nullptr) node.node->Poll();
    }
  }

  void Kill(int n) {
    Node& node = nodes[static_cast<size_t>(n)];
    node.node = nullptr;
    node.endpoint = nullptr;
  }

  absl::StatusOr<std::vector<float>> Run(const MoeBatch& batch) {
    auto handle = links->Dispatch().Dispatch(batch.View());
    if (!handle.ok()) return handle.status();
    std::vector<float> out(batch.hidden.size());
    const absl::Status status = links->Dispatch().Combine(
        *handle, {out.data(), batch.rows.rows, MoeModel::kHiddenSize});
    if (!status.ok()) return status;
    return out;
  }

  const MoeModel& model;
  FakeClock clock;
  ThreadPool pool{1};
  router::InProcessNetwork network;
  PollingTransport transport;
  std::deque<Node> nodes;
  RecordingListener listener;
  std::function<void()> on_poll;
  std::unique_ptr<ExpertLinks> links;
};

}  // namespace mesh::attention
