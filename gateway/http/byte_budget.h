// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>

namespace mesh::gateway {

// Bytes that all connections together may hold. Thread-safe.
class ByteBudget {
 public:
  explicit ByteBudget(size_t max_bytes) : max_bytes_(max_bytes) {}

  // What one request has taken; gives it back when destroyed. Used by one
  // thread at a time. The budget must outlive it.
  class Hold {
   public:
    Hold() = default;
    explicit Hold(ByteBudget& budget) : budget_(&budget) {}
    Hold(Hold&& other) noexcept { *this = static_cast<Hold&&>(other); }
    Hold& operator=(Hold&& other) noexcept {
      if (this == &other) return *this;
      Release();
      budget_ = other.budget_;
      num_bytes_ = other.num_bytes_;
      other.num_bytes_ = 0;
      return *this;
    }
    ~Hold() { Release(); }

    // Takes more; false, with nothing taken, if so much is not left.
    bool Grow(size_t num_bytes) {
      if (!budget_->Take(num_bytes)) return false;
      num_bytes_ += num_bytes;
      return true;
    }

   private:
    void Release() {
      if (num_bytes_ > 0) budget_->used_.fetch_sub(num_bytes_);
      num_bytes_ = 0;
    }

    ByteBudget* budget_ = nullptr;
    size_t num_bytes_ = 0;
  };

  size_t NumBytes() const { return used_.load(); }

 private:
  bool Take(size_t num_bytes) {
    if (used_.fetch_add(num_bytes) + num_bytes <= max_bytes_) return true;
    used_.fetch_sub(num_bytes);
    return false;
  }

  const size_t max_bytes_;
  std::atomic<size_t> used_ = 0;
};

}  // namespace mesh::gateway
