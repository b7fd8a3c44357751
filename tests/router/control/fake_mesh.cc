// SPDX-License-Identifier: Apache-2.0
#include "tests/router/control/fake_mesh.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace mesh::router {
namespace {

constexpr absl::Duration kStep = absl::Milliseconds(100);

std::vector<Holding> HoldingsOf(const FakeNode& node) {
  std::vector<Holding> holdings;
  for (const ExpertKey& key : node.held) {
    holdings.push_back({.key = key, .digest = DigestOfExpert(key)});
  }
  return holdings;
}

}  // namespace

Digest DigestOfExpert(const ExpertKey& key) {
  return {.high = key.layer.value, .low = key.expert.value};
}

FakeMesh::FakeMesh(const Options& options) : options_(options) {
  for (int l = 0; l < options.num_layers; ++l) {
    shape_.moe_layers.push_back(LayerId{static_cast<uint16_t>(l + 1)});
  }
  shape_.num_experts = options.num_experts;
  shape_.num_groups = options.num_groups;
  shape_.expert_bytes = 100;
  RestartRouter(options.term);
}

void FakeMesh::RestartRouter(uint64_t term) {
  for (auto& [name, node] : nodes_) node->connection = {};
  controller_.reset();
  terms_ = std::make_unique<FakeTerms>(term);
  controller_ =
      std::make_unique<Controller>(options_.controller, *terms_, *this, clock_);
}

FakeNode& FakeMesh::Add(const std::string& name, service::Role role) {
  auto node = std::make_unique<FakeNode>();
  Hello& hello = node->hello;
  hello.node.name = name;
  hello.node.role = role;
  hello.node.incarnation = ++num_incarnations_;
  hello.node.grpc_address = absl::StrCat("127.0.0.1:", num_incarnations_);
  if (role != service::Role::kGateway) {
    hello.model = shape_;
    hello.model_digest = Digest{1, 2};
    hello.numerics_class = "bf16-1";
  }
  nodes_[name] = std::move(node);
  return *nodes_[name];
}

FakeNode& FakeMesh::AddExpert(const std::string& name, size_t capacity) {
  FakeNode& node = Add(name, service::Role::kExpert);
  node.hello.capacity_experts = capacity;
  Join(name);
  return node;
}

FakeNode& FakeMesh::AddExpert(const std::string& name) {
  return AddExpert(name, 1000);
}

FakeNode& FakeMesh::AddAttention(const std::string& name) {
  FakeNode& node = Add(name, service::Role::kAttention);
  Join(name);
  return node;
}

FakeNode& FakeMesh::AddGateway(const std::string& name) {
  FakeNode& node = Add(name, service::Role::kGateway);
  Join(name);
  return node;
}

void FakeMesh::Join(const std::string& name) {
  FakeNode& node = (*this)[name];
  node.connection = ConnectionId{++num_connections_};
  node.closed.reset();
  Hello hello = node.hello;
  if (node.welcome.has_value()) {
    hello.node.id = node.welcome->id;
    hello.seen_term = std::max(hello.seen_term, node.welcome->term);
  }
  if (hello.node.role == service::Role::kExpert && hello.holdings.empty()) {
    hello.holdings = HoldingsOf(node);
  }
  if (node.table != nullptr && node.adopted &&
      hello.node.role == service::Role::kAttention) {
    hello.placement = *node.table;
  }
  controller_->OnConnected(node.connection);
  controller_->OnHello(node.connection, hello);
  controller_->Tick();
}

void FakeMesh::Kill(const std::string& name) {
  FakeNode& node = (*this)[name];
  const ConnectionId connection = std::exchange(node.connection, {});
  node.waiting.clear();
  controller_->OnDisconnected(connection);
  controller_->Tick();
}

void FakeMesh::Restart(const std::string& name) {
  if ((*this)[name].connection.value != 0) Kill(name);
  FakeNode& node = (*this)[name];
  node.held.clear();
  node.table = nullptr;
  node.adopted = false;
  node.welcome.reset();
  node.released = false;
  node.hello.node.incarnation = ++num_incarnations_;
  node.hello.node.grpc_address = absl::StrCat("127.0.0.1:", num_incarnations_);
  Join(name);
}

void FakeMesh::Leave(const std::string& name) {
  controller_->OnLeaving((*this)[name].connection);
  controller_->Tick();
}

void FakeMesh::CarryOut(FakeNode& node, const HostingOrder& order) {
  HoldingsReport report{.order_epoch = order.epoch,
                        .phase = order.phase,
                        .holdings = {},
                        .error = {}};
  const std::set<ExpertKey> named(order.experts.begin(), order.experts.end());
  if (order.phase == HostingPhase::kRetire) {
    std::erase_if(node.held,
                  [&](const ExpertKey& key) { return named.count(key) == 0; });
  } else if (!node.error.empty()) {
    report.error = node.error;
  } else {
    std::set<ExpertKey> all = node.held;
    all.insert(named.begin(), named.end());
    if (all.size() > node.hello.capacity_experts) {
      report.error = "no room";
    } else {
      node.held = std::move(all);
    }
  }
  report.holdings = HoldingsOf(node);
  controller_->OnHoldings(node.connection, report);
}

void FakeMesh::Act(FakeNode& node) {
  if (node.connection.value == 0) return;
  if (!node.mute) {
    node.status.experts_held = node.held.size();
    controller_->OnHeartbeat(node.connection, 1, node.status);
  }
  if (!node.slow && !node.waiting.empty()) {
    // A later order replaces an earlier one.
    const HostingOrder order = node.waiting.back();
    node.waiting.clear();
    CarryOut(node, order);
  }
  if (node.hello.node.role == service::Role::kAttention && !node.stubborn &&
      node.table != nullptr && !node.adopted) {
    node.adopted = true;
    controller_->OnAdopted(node.connection, node.table->placement->Epoch());
  }
}

void FakeMesh::Run(absl::Duration duration) {
  const absl::Time end = clock_.Now() + duration;
  while (clock_.Now() < end) {
    clock_.Advance(kStep);
    for (auto& [name, node] : nodes_) Act(*node);
    controller_->Tick();
  }
}

bool FakeMesh::IsCovered() const {
  const PlacementControl* const state = controller_->PlacementState();
  if (state == nullptr || state->Active() == nullptr) return false;
  const ReachablePlacement& table = *state->Active();
  for (const NodeIdentity& identity : table.nodes) {
    const auto it = nodes_.find(identity.name);
    if (it == nodes_.end() || it->second->connection.value == 0) return false;
    for (const ExpertKey& key : table.placement->HostedBy(identity.id)) {
      if (it->second->held.count(key) == 0) return false;
    }
  }
  return true;
}

size_t FakeMesh::NumPlaced(const std::string& name) {
  const FakeNode& node = (*this)[name];
  const PlacementControl* const state = controller_->PlacementState();
  if (state == nullptr || !node.welcome.has_value()) return 0;
  return state->NumPlaced(node.welcome->id);
}

uint64_t FakeMesh::Epoch() const {
  const PlacementControl* const state = controller_->PlacementState();
  return state == nullptr ? 0 : state->ActiveEpoch();
}

size_t FakeMesh::CountNotes(const std::string& event) const {
  return static_cast<size_t>(std::count_if(
      notes_.begin(), notes_.end(),
      [&](const std::string& note) { return absl::StartsWith(note, event); }));
}

FakeNode* FakeMesh::At(ConnectionId connection) {
  for (auto& [name, node] : nodes_) {
    if (node->connection == connection) return node.get();
  }
  return nullptr;
}

void FakeMesh::SendWelcome(ConnectionId to, const WelcomeMessage& welcome) {
  if (FakeNode* const node = At(to)) node->welcome = welcome;
}

void FakeMesh::SendPlacement(
    ConnectionId to, const std::shared_ptr<const ReachablePlacement>& table) {
  FakeNode* const node = At(to);
  if (node == nullptr) return;
  node->table = table;
  node->adopted = false;
}

void FakeMesh::SendHosting(ConnectionId to, const HostingOrder& order) {
  FakeNode* const node = At(to);
  if (node == nullptr) return;
  node->waiting.push_back(order);
  node->seen.push_back(order);
}

void FakeMesh::SendAttentionNodes(ConnectionId to,
                                  const std::vector<NodeIdentity>& nodes) {
  if (FakeNode* const node = At(to)) node->attention_nodes = nodes;
}

void FakeMesh::SendReleased(ConnectionId to) {
  if (FakeNode* const node = At(to)) node->released = true;
}

void FakeMesh::Close(ConnectionId connection, const absl::Status& status) {
  FakeNode* const node = At(connection);
  if (node == nullptr) return;
  node->closed = status;
  node->connection = {};
}

void FakeMesh::Note(absl::string_view event, const std::string& node,
                    const std::string& details) {
  notes_.push_back(absl::StrCat(event, " ", node, " ", details));
}

}  // namespace mesh::router
