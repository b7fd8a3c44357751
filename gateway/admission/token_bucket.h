// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "absl/time/time.h"

namespace mesh::gateway {

// A rate: fills evenly, holds a minute's worth, starts full. May be taken from
// beyond what is there; the debt is filled up first. Owned by one thread.
class TokenBucket {
 public:
  // 0 a minute: no limit.
  TokenBucket(double per_minute, absl::Time now)
      : per_minute_(per_minute), level_(per_minute), updated_(now) {}

  // What was taken stays taken.
  void SetRate(double per_minute, absl::Time now);

  // Until `cost` is there; zero: it is. More than the bucket holds waits only
  // until it is full.
  absl::Duration WaitFor(double cost, absl::Time now) const;
  void Take(double cost, absl::Time now);
  // What was taken and not used.
  void GiveBack(double cost, absl::Time now) { Take(-cost, now); }

  bool IsLimited() const { return per_minute_ > 0; }
  double PerMinute() const { return per_minute_; }
  double Level(absl::Time now) const;

 private:
  double per_minute_;
  double level_;
  absl::Time updated_;
};

}  // namespace mesh::gateway
