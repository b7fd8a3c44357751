// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <list>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "core/clock.h"
#include "core/mutex.h"
#include "gateway/admission/token_bucket.h"

namespace mesh::gateway {

// Counts failures by address: a bucket each of `per_minute`. An IPv6 network of
// 64 bits counts as one address. Forgets the address that has not failed for
// the longest when there are too many. Thread-safe.
class FailureLimiter {
 public:
  // `clock` outlives it.
  FailureLimiter(double per_minute, size_t max_addresses, const Clock& clock)
      : per_minute_(per_minute), max_addresses_(max_addresses), clock_(clock) {}

  // Zero: counted. Otherwise how long until there is room for another.
  absl::Duration Count(absl::string_view address);

  size_t NumAddresses() const;

 private:
  struct Entry {
    std::string address;
    TokenBucket bucket;
  };
  using Entries = std::list<Entry>;  // the latest failure first

  Entry& Find(std::string address, absl::Time now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const double per_minute_;
  const size_t max_addresses_;
  const Clock& clock_;
  mutable Mutex mutex_;
  Entries entries_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::string, Entries::iterator> by_address_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace mesh::gateway
