// SPDX-License-Identifier: Apache-2.0
#include "gateway/net/connection_limits.h"

#include <algorithm>
#include <cstddef>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "core/mutex.h"

namespace mesh::gateway {
namespace {

// Addresses that are remembered before the first are forgotten.
constexpr size_t kMinAddresses = 1024;

struct Client {
  int num_connections = 0;
  // A bucket of connections that may still be opened, as of `updated`.
  double tokens = 0;
  absl::Time updated;
};

}  // namespace

struct ConnectionLimits::State {
  explicit State(const Options& limits) : options(limits) {}

  // True for an address about which nothing needs to be known.
  bool IsForgettable(const Client& client, absl::Time now) const {
    return client.num_connections == 0 &&
           now - client.updated >= absl::Seconds(1);
  }
  // Keeps the table in proportion to the addresses of the last second.
  void Forget(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    if (clients.size() < max_clients) return;
    absl::erase_if(clients, [&](const auto& entry) {
      return IsForgettable(entry.second, now);
    });
    max_clients = std::max(kMinAddresses, 2 * clients.size());
  }
  Client& Find(absl::string_view address, absl::Time now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    const double burst = options.max_new_per_second;
    const auto [entry, is_new] = clients.try_emplace(address);
    Client& client = entry->second;
    const double earned =
        burst * absl::ToDoubleSeconds(
                    std::max(now - client.updated, absl::ZeroDuration()));
    client.tokens = is_new ? burst : std::min(burst, client.tokens + earned);
    client.updated = now;
    return client;
  }

  const Options options;
  Mutex mutex;
  int num_connections ABSL_GUARDED_BY(mutex) = 0;
  size_t max_clients ABSL_GUARDED_BY(mutex) = kMinAddresses;
  absl::flat_hash_map<std::string, Client> clients ABSL_GUARDED_BY(mutex);
};

ConnectionLimits::Permit::Permit(std::shared_ptr<State> state,
                                 std::string address)
    : state_(std::move(state)), address_(std::move(address)) {}

ConnectionLimits::Permit::Permit(Permit&& other) noexcept
    : state_(std::move(other.state_)), address_(std::move(other.address_)) {}

ConnectionLimits::Permit& ConnectionLimits::Permit::operator=(
    Permit&& other) noexcept {
  if (this == &other) return *this;
  Release();
  state_ = std::move(other.state_);
  address_ = std::move(other.address_);
  return *this;
}

ConnectionLimits::Permit::~Permit() { Release(); }

void ConnectionLimits::Permit::Release() {
  if (state_ == nullptr) return;
  MutexLock lock(state_->mutex);
  --state_->num_connections;
  --state_->clients[address_].num_connections;
}

ConnectionLimits::ConnectionLimits(const Options& options, const Clock& clock)
    : clock_(clock), state_(std::make_shared<State>(options)) {}

std::variant<ConnectionLimits::Permit, ConnectionLimits::Refusal>
ConnectionLimits::Admit(absl::string_view address) {
  const Options& options = state_->options;
  const absl::Time now = clock_.Now();
  MutexLock lock(state_->mutex);
  if (state_->num_connections >= options.max_connections) {
    return Refusal::kTotal;
  }
  state_->Forget(now);
  Client& client = state_->Find(address, now);
  if (client.num_connections >= options.max_per_address) {
    return Refusal::kPerAddress;
  }
  if (client.tokens < 1) return Refusal::kRate;
  client.tokens -= 1;
  ++client.num_connections;
  ++state_->num_connections;
  return Permit(state_, std::string(address));
}

int ConnectionLimits::NumConnections() const {
  MutexLock lock(state_->mutex);
  return state_->num_connections;
}

}  // namespace mesh::gateway
