// SPDX-License-Identifier: Apache-2.0
#include "gateway/admission/failure_limiter.h"

#include <arpa/inet.h>

#include <array>
#include <utility>

namespace mesh::gateway {
namespace {

constexpr size_t kMaxAddressBytes = 64;

std::string NetworkOf(absl::string_view address) {
  std::string text(address.substr(0, kMaxAddressBytes));
  std::array<char, 16> bytes = {};
  if (inet_pton(AF_INET6, text.c_str(), bytes.data()) != 1) return text;
  const bool is_ipv4 =
      IN6_IS_ADDR_V4MAPPED(reinterpret_cast<const in6_addr*>(bytes.data()));
  return is_ipv4 ? std::string(bytes.data() + 12, 4)
                 : std::string(bytes.data(), 8);
}

}  // namespace

absl::Duration FailureLimiter::Count(absl::string_view address) {
  const absl::Time now = clock_.Now();
  MutexLock lock(mutex_);
  TokenBucket& bucket = Find(NetworkOf(address), now).bucket;
  const absl::Duration wait = bucket.WaitFor(1, now);
  if (wait == absl::ZeroDuration()) bucket.Take(1, now);
  return wait;
}

size_t FailureLimiter::NumAddresses() const {
  MutexLock lock(mutex_);
  return entries_.size();
}

FailureLimiter::Entry& FailureLimiter::Find(std::string address,
                                            absl::Time now) {
  if (const auto found = by_address_.find(address);
      found != by_address_.end()) {
    entries_.splice(entries_.begin(), entries_, found->second);
    return entries_.front();
  }
  if (entries_.size() >= max_addresses_) {
    by_address_.erase(entries_.back().address);
    entries_.pop_back();
  }
  entries_.push_front({std::move(address), TokenBucket(per_minute_, now)});
  by_address_[entries_.front().address] = entries_.begin();
  return entries_.front();
}

}  // namespace mesh::gateway
