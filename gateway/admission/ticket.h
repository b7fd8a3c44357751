// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"

namespace mesh::gateway {

class Admission;
class TenantAccount;

// One of the streams that the mesh carries: its holder may generate until it
// destroys the ticket. Owned by one thread at a time. Its Admission outlives
// it.
class Ticket {
 public:
  Ticket(Ticket&& other) noexcept;
  Ticket& operator=(Ticket&& other) noexcept;
  ~Ticket();

  // What the answer came to; 0 unless it is told.
  void SetOutcome(size_t num_completion_tokens) {
    num_completion_tokens_ = num_completion_tokens;
  }

  // From Ask until the stream was free.
  absl::Duration Waited() const { return started_ - asked_; }

 private:
  friend class Admission;
  Ticket() = default;

  Admission* admission_ = nullptr;  // null: moved from
  TenantAccount* account_ = nullptr;
  absl::Time asked_;
  absl::Time started_;
  double charged_completion_tokens_ = 0;
  size_t num_completion_tokens_ = 0;
};

// Where a request waits. Destroying it takes the request out of the queue: its
// callback does not come any more, unless it is being called right now.
// Its Admission outlives it.
class Place {
 public:
  Place() = default;
  Place(Place&& other) noexcept;
  Place& operator=(Place&& other) noexcept;
  ~Place();

 private:
  friend class Admission;
  Place(Admission* admission, uint64_t id) : admission_(admission), id_(id) {}
  void Leave();

  Admission* admission_ = nullptr;  // null: waits for nothing
  uint64_t id_ = 0;
};

}  // namespace mesh::gateway
