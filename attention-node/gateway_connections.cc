// SPDX-License-Identifier: Apache-2.0
#include "attention-node/gateway_connections.h"

#include <algorithm>
#include <utility>

namespace mesh::attention {

GatewayConnections::GatewayConnections(
    const GatewayConnection::Options& options, const Clock& clock)
    : options_(options),
      clock_(clock),
      refusal_(absl::UnavailableError(
          "the attention node has no placement yet; try another node")) {}

void GatewayConnections::Open(Engine& engine, const EngineModel& model) {
  const MutexLock lock(mutex_);
  engine_ = &engine;
  model_ = &model;
}

absl::StatusOr<std::shared_ptr<GatewayConnection>> GatewayConnections::Connect(
    std::weak_ptr<GatewayConnection::Outlet> outlet) {
  const MutexLock lock(mutex_);
  if (engine_ == nullptr) {
    return absl::UnavailableError("the attention node is still loading");
  }
  if (closed_) return absl::UnavailableError("the attention node is stopping");
  auto connection = std::make_shared<GatewayConnection>(
      options_, *engine_, clock_, std::move(outlet));
  connection->RefuseAll(refusal_);
  connections_.push_back(connection);
  return connection;
}

std::vector<std::shared_ptr<GatewayConnection>> GatewayConnections::Living()
    const {
  std::vector<std::shared_ptr<GatewayConnection>> living;
  const MutexLock lock(mutex_);
  std::erase_if(connections_,
                [](const auto& connection) { return connection.expired(); });
  for (const auto& weak : connections_) {
    if (auto connection = weak.lock()) living.push_back(std::move(connection));
  }
  return living;
}

void GatewayConnections::SetRefusal(const absl::Status& status) {
  {
    const MutexLock lock(mutex_);
    if (draining_) return;
    refusal_ = status;
  }
  for (const auto& connection : Living()) connection->RefuseAll(status);
}

void GatewayConnections::Drain() {
  const absl::Status status = absl::UnavailableError(
      "the attention node is draining; try another node");
  SetRefusal(status);
  const MutexLock lock(mutex_);
  draining_ = true;
}

void GatewayConnections::Close() {
  {
    const MutexLock lock(mutex_);
    closed_ = true;
  }
  for (const auto& connection : Living()) {
    connection->End(absl::UnavailableError("the attention node is stopping"));
  }
}

void GatewayConnections::Flush() {
  int64_t step = 0;
  {
    const MutexLock lock(mutex_);
    if (engine_ == nullptr) return;
    step = engine_->Counters().steps;
  }
  for (const auto& connection : Living()) connection->Flush(step);
}

void GatewayConnections::Tick() {
  for (const auto& connection : Living()) connection->Tick();
}

GatewayConnections::Load GatewayConnections::GetLoad() const {
  const MutexLock lock(mutex_);
  Load load{.counters = {}, .draining = draining_};
  if (engine_ != nullptr) load.counters = engine_->Counters();
  return load;
}

bool GatewayConnections::IsEmpty() const { return Living().empty(); }

bool GatewayConnections::IsIdle() const {
  const auto living = Living();
  return std::all_of(living.begin(), living.end(), [](const auto& connection) {
    return connection->IsIdle();
  });
}

const EngineModel* GatewayConnections::Model() const {
  const MutexLock lock(mutex_);
  return model_;
}

}  // namespace mesh::attention
