// SPDX-License-Identifier: Apache-2.0
#include "tests/router/control/sound_node.h"

#include "core/check.h"

namespace mesh::router {

SoundNode::SoundNode(common::v1::Role role, const std::string& name,
                     const std::string& router, const service::Logger& logger,
                     const service::TlsOptions& tls)
    : hello_(SoundHello(role, name)),
      client_({.router_address = router, .channel = {.tls = tls}}, *this,
              logger) {
  MESH_CHECK(client_.Start().ok());
}

SoundNode::Account SoundNode::Look() {
  Account account;
  watched_.Change([&] { account = account_; });
  return account;
}

bool SoundNode::AwaitPlacement(int num_nodes, uint64_t epoch) {
  return Await([=](const Account& account) {
    return account.placement.nodes_size() == num_nodes &&
           account.placement.epoch() > epoch;
  });
}

void SoundNode::Leave() {
  v1::JoinRequest request;
  request.mutable_leaving();
  client_.Send(request);
}

v1::JoinHello SoundNode::MakeHello() {
  v1::JoinHello hello = hello_;
  const Account account = Look();
  for (const ExpertKey& key : account.held) {
    *hello.add_holdings() = HoldingOf(key);
  }
  if (hello.node().role() == common::v1::ROLE_ATTENTION &&
      account.placements > 0) {
    *hello.mutable_placement() = account.placement;
  }
  return hello;
}

v1::NodeStatus SoundNode::MakeStatus() {
  v1::NodeStatus status;
  status.set_ready(true);
  return status;
}

void SoundNode::OnWelcome(const v1::Welcome& welcome) {
  watched_.Change([&] {
    ++account_.welcomes;
    account_.node_id = welcome.node_id();
  });
}

void SoundNode::OnPlacement(const v1::Placement& placement) {
  watched_.Change([&] {
    ++account_.placements;
    account_.placement = placement;
  });
  if (hello_.node().role() != common::v1::ROLE_ATTENTION) return;
  v1::JoinRequest request;
  request.mutable_adopted()->set_epoch(placement.epoch());
  client_.Send(request);
}

void SoundNode::OnHosting(const v1::HostingOrder& order) {
  v1::JoinRequest request;
  v1::HoldingsReport& report = *request.mutable_holdings();
  report.set_order_epoch(order.epoch());
  report.set_phase(order.phase());
  watched_.Change([&] {
    std::set<ExpertKey> named;
    for (const common::v1::ExpertKey& key : order.experts()) {
      named.insert({LayerId{static_cast<uint16_t>(key.layer())},
                    ExpertId{static_cast<uint16_t>(key.expert())}});
    }
    for (const ExpertKey& key : named) {
      account_.loaded += account_.held.insert(key).second ? 1 : 0;
    }
    if (order.phase() == v1::HOSTING_PHASE_RETIRE) account_.held = named;
    for (const ExpertKey& key : account_.held) {
      *report.add_holdings() = HoldingOf(key);
    }
  });
  client_.Send(request);
}

void SoundNode::OnReleased() {
  watched_.Change([&] { account_.released = true; });
}

}  // namespace mesh::router
