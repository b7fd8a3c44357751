// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <queue>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "bench/bench_requests.h"
#include "bench/http_fleet.h"

namespace mesh::bench {

inline constexpr int kLeavers = 300;  // at the same time
inline constexpr size_t kLongestLeaveUs = 20000;

// The clients that go away: while they send the head or the body of their
// request, while they wait, or after some tokens.
class Leavers final : public HttpWatcher {
 public:
  Leavers(int port, int num_leavers)
      : fleet_(port, *this), num_left_(num_leavers) {}

  void Run() {
    while (num_left_ > 0 || fleet_.NumOpen() > 0) {
      while (num_left_ > 0 && fleet_.NumOpen() < kLeavers) Begin();
      fleet_.Poll(absl::Milliseconds(1));
      while (!due_.empty() && due_.top().first <= absl::Now()) {
        Leave(due_.top().second);
        due_.pop();
      }
    }
    // Those that had left when their time came.
    due_ = {};
  }

  void OnHead(uint64_t /*id*/, int status,
              absl::string_view /*headers*/) override {
    if (status != 200) ++num_other_;
  }
  void OnBody(uint64_t id, absl::string_view bytes,
              absl::Time /*read*/) override {
    num_tokens_ += CountLetters(bytes);
    if (CountLetters(bytes) > 0 && Draw(0, 1) == 0) Leave(id);
  }
  void OnEnd(uint64_t /*id*/, bool /*complete*/, absl::Time /*read*/) override {
    ++num_ended_;
  }

  int64_t NumTokens() const { return num_tokens_; }
  int NumEnded() const { return num_ended_; }
  int NumOtherStatus() const { return num_other_; }

 private:
  using Due = std::pair<absl::Time, uint64_t>;

  size_t Draw(size_t least, size_t most) {
    return std::uniform_int_distribution<size_t>(least, most)(random_);
  }
  void Leave(uint64_t id) { fleet_.Drop(id, /*reset=*/Draw(0, 1) == 0); }
  void Begin() {
    --num_left_;
    const uint64_t id = next_++;
    std::string request = ChatRequest("", uint64_t{1} << 40, 50);
    const size_t body = request.find("\r\n\r\n") + 4;
    const size_t kind = Draw(0, 3);
    if (kind == 0) request.resize(Draw(0, body - 1));
    if (kind == 1) request.resize(Draw(body, request.size() - 1));
    fleet_.Send(id, std::move(request));
    if (kind == 3) return;  // leaves in the stream
    due_.emplace(absl::Now() + absl::Microseconds(Draw(0, kLongestLeaveUs)),
                 id);
  }

  HttpFleet fleet_;
  std::mt19937_64 random_{11};
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;
  int num_left_;
  uint64_t next_ = 0;
  int64_t num_tokens_ = 0;
  int num_ended_ = 0;
  int num_other_ = 0;
};

}  // namespace mesh::bench
