// SPDX-License-Identifier: Apache-2.0
#include "gateway/attention_pool.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace mesh::gateway {

AttentionPool::AttentionPool(Options options, StreamRouter& streams,
                             const Clock& clock, const service::Logger& logger)
    : options_(std::move(options)),
      streams_(streams),
      clock_(clock),
      logger_(logger),
      last_tick_(clock.Now()) {}

AttentionPool::~AttentionPool() {
  std::vector<std::shared_ptr<AttentionClient>> clients;
  {
    MutexLock lock(mutex_);
    nodes_.clear();
    clients.swap(clients_);
  }
  for (const auto& client : clients) {
    client->Close(absl::CancelledError("the gateway is stopping"));
  }
  for (const auto& client : clients) client->AwaitDone();
}

void AttentionPool::SetNodes(const std::vector<AttentionAddress>& nodes) {
  std::vector<std::shared_ptr<AttentionClient>> moved;
  {
    MutexLock lock(mutex_);
    for (auto& [name, node] : nodes_) node.is_listed = false;
    for (const AttentionAddress& listed : nodes) {
      Node& node = nodes_[listed.name];
      node.is_listed = true;
      if (node.address == listed.address) continue;
      node.address = listed.address;
      node.backoff = options_.first_retry;
      node.next_try = absl::InfinitePast();
      if (node.client != nullptr) moved.push_back(node.client);
    }
    std::erase_if(nodes_, [](const auto& entry) {
      return !entry.second.is_listed && entry.second.client == nullptr;
    });
  }
  for (const auto& client : moved) {
    client->Close(absl::UnavailableError("the node has moved"));
  }
}

void AttentionPool::Tick() {
  const absl::Time now = clock_.Now();
  const bool was_late =
      now - last_tick_ > options_.client.heartbeat_timeout / 2;
  last_tick_ = now;
  std::vector<std::shared_ptr<AttentionClient>> clients;
  {
    MutexLock lock(mutex_);
    std::erase_if(clients_, [](const auto& client) { return client->Done(); });
    ConnectDue(now);
    clients = clients_;
  }
  for (const auto& client : clients) client->Tick(was_late);
}

void AttentionPool::ConnectDue(absl::Time now) {
  for (auto& [name, node] : nodes_) {
    if (node.client != nullptr || node.next_try > now) continue;
    AttentionClient::Options options = options_.client;
    options.address = node.address;
    auto client = AttentionClient::Connect(options, *this, clock_);
    if (!client.ok()) {
      NoteProblem(name, node, client.status());
      continue;
    }
    node.client = *client;
    clients_.push_back(*std::move(client));
  }
}

void AttentionPool::NoteProblem(const std::string& name, Node& node,
                                const absl::Status& reason) {
  node.next_try = clock_.Now() + node.backoff;
  node.backoff = std::min(node.backoff * 2, options_.longest_retry);
  const std::string problem = reason.ToString();
  if (problem == node.last_problem) return;
  node.last_problem = problem;
  logger_.Warning("attention node not connected", {{"attention_node", name},
                                                   {"address", node.address},
                                                   {"reason", problem}});
}

absl::Status AttentionPool::OnReady(
    const std::shared_ptr<AttentionClient>& client, NodeHello hello) {
  if (hello.vocab_size != options_.vocab_size) {
    return absl::FailedPreconditionError(absl::StrCat(
        "runs another model: its vocabulary has ", hello.vocab_size,
        " tokens, this gateway's ", options_.vocab_size));
  }
  {
    MutexLock lock(mutex_);
    const auto found = std::find_if(
        nodes_.begin(), nodes_.end(),
        [&](const auto& entry) { return entry.second.client == client; });
    if (found == nodes_.end()) return absl::CancelledError("not wanted");
    found->second.backoff = options_.first_retry;
    found->second.last_problem.clear();
    hello.name = found->first;
  }
  logger_.Info("attention node connected", {{"attention_node", hello.name},
                                            {"numerics", hello.numerics},
                                            {"model", hello.model.ToHex()}});
  streams_.OnNodeReady(client, std::move(hello));
  // If it was closed meanwhile, the loss came before the node.
  if (!IsCurrent(*client)) streams_.OnNodeLost(client.get());
  return absl::OkStatus();
}

bool AttentionPool::IsCurrent(const AttentionClient& client) {
  MutexLock lock(mutex_);
  return std::any_of(nodes_.begin(), nodes_.end(), [&](const auto& entry) {
    return entry.second.client.get() == &client;
  });
}

void AttentionPool::OnStep(AttentionClient& client, StepResults results) {
  streams_.OnStep(&client, std::move(results));
}

void AttentionPool::OnLoad(AttentionClient& client, const NodeLoad& load) {
  streams_.OnLoad(&client, load);
}

void AttentionPool::OnRefused(AttentionClient& client, const Refusal& refusal) {
  streams_.OnRefused(&client, refusal);
}

void AttentionPool::OnClosed(AttentionClient& client,
                             const absl::Status& reason) {
  {
    MutexLock lock(mutex_);
    const auto found =
        std::find_if(nodes_.begin(), nodes_.end(), [&](const auto& entry) {
          return entry.second.client.get() == &client;
        });
    if (found != nodes_.end()) {
      Node& node = found->second;
      node.client = nullptr;
      NoteProblem(found->first, node, reason);
      if (!node.is_listed) nodes_.erase(found);
    }
  }
  streams_.OnNodeLost(&client);
}

}  // namespace mesh::gateway
