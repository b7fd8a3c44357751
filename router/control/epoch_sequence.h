// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "router/control/term_source.h"

namespace mesh::router {

// Numbers this router's epochs: term << 32 | sequence, from 1 in every term.
// Owned by one thread.
class EpochSequence {
 public:
  // `terms` outlives the sequence.
  explicit EpochSequence(const TermSource& terms) : terms_(terms) {}

  uint64_t Term() const { return terms_.Term(); }
  // What Take() would give.
  uint64_t Next() const {
    return last_ >> 32 == Term() ? last_ + 1 : Term() << 32 | 1;
  }
  uint64_t Take() { return last_ = Next(); }

 private:
  const TermSource& terms_;
  uint64_t last_ = 0;
};

}  // namespace mesh::router
