// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/clock.h"
#include "router/control/controller.h"

namespace mesh::router {

class FakeTerms final : public TermSource {
 public:
  explicit FakeTerms(uint64_t term) : term_(term) {}
  uint64_t Term() const override { return term_; }
  absl::Status RaiseAbove(uint64_t seen) override {
    if (term_ <= seen) term_ = seen + 1;
    return absl::OkStatus();
  }

 private:
  uint64_t term_;
};

// A node as the controller sees it, which does what it is told.
struct FakeNode {
  Hello hello;
  ConnectionId connection;  // 0: not connected
  bool mute = false;        // sends no heartbeats
  MemberStatus status{
      .ready = true, .draining = false, .activity = {}, .experts_held = 0};
  // Expert nodes.
  std::set<ExpertKey> held;
  std::vector<HostingOrder> waiting;  // orders that are not carried out yet
  std::vector<HostingOrder> seen;     // all orders
  bool slow = false;                  // lets orders wait
  std::string error;                  // with which it answers LOAD orders
  // Attention nodes.
  std::shared_ptr<const ReachablePlacement> table;
  bool stubborn = false;  // does not adopt
  bool adopted = false;   // the last table
  // All.
  std::optional<WelcomeMessage> welcome;
  std::optional<absl::Status> closed;
  bool released = false;
  std::vector<NodeIdentity> attention_nodes;
};

// A controller among nodes on virtual time, without a network.
class FakeMesh final : public NodeLinks {
 public:
  struct Options {
    Controller::Options controller = {};
    int num_layers = 2;
    int num_experts = 16;
    int num_groups = 4;
    uint64_t term = 1;
  };

  explicit FakeMesh(const Options& options);
  FakeMesh() : FakeMesh(Options()) {}

  FakeNode& AddExpert(const std::string& name);
  FakeNode& AddExpert(const std::string& name, size_t capacity);
  FakeNode& AddAttention(const std::string& name);
  FakeNode& AddGateway(const std::string& name);
  FakeNode& operator[](const std::string& name) { return *nodes_.at(name); }

  // Connects the node, or connects it again, with what it holds and uses.
  void Join(const std::string& name);
  // As if its process had been killed, and the stream with it.
  void Kill(const std::string& name);
  // A new process under the old name, with nothing in memory.
  void Restart(const std::string& name);
  // The router, without its memory; nodes are not connected.
  void RestartRouter(uint64_t term);
  void Leave(const std::string& name);

  // Lets time pass, with heartbeats and everything that nodes do.
  void Run(absl::Duration duration);
  // Checks that every expert of the active table is held where it says.
  bool IsCovered() const;
  size_t NumPlaced(const std::string& name);
  uint64_t Epoch() const;

  Controller& Control() { return *controller_; }
  const std::vector<std::string>& Notes() const { return notes_; }
  size_t CountNotes(const std::string& event) const;
  absl::Time Now() const { return clock_.Now(); }
  const ModelShape& Shape() const { return shape_; }

  void SendWelcome(ConnectionId to, const WelcomeMessage& welcome) override;
  void SendPlacement(
      ConnectionId to,
      const std::shared_ptr<const ReachablePlacement>& table) override;
  void SendHosting(ConnectionId to, const HostingOrder& order) override;
  void SendAttentionNodes(ConnectionId to,
                          const std::vector<NodeIdentity>& nodes) override;
  void SendReleased(ConnectionId to) override;
  void SendHeartbeatAck(ConnectionId /*to*/, uint64_t /*sequence*/) override {}
  void Close(ConnectionId connection, const absl::Status& status) override;
  void Note(absl::string_view event, const std::string& node,
            const std::string& details) override;

 private:
  FakeNode& Add(const std::string& name, service::Role role);
  FakeNode* At(ConnectionId connection);
  void Act(FakeNode& node);
  void CarryOut(FakeNode& node, const HostingOrder& order);

  Options options_;
  ModelShape shape_;
  FakeClock clock_;
  std::unique_ptr<FakeTerms> terms_;
  std::unique_ptr<Controller> controller_;
  uint64_t num_connections_ = 0;
  uint64_t num_incarnations_ = 0;
  std::map<std::string, std::unique_ptr<FakeNode>> nodes_;
  std::vector<std::string> notes_;
};

// The digest that every sound node reports for an expert.
Digest DigestOfExpert(const ExpertKey& key);

}  // namespace mesh::router
