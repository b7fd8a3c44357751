// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "bench/bench_requests.h"

namespace mesh::bench {

inline constexpr size_t kTenants = 3;
// In which the recovery is looked for.
inline constexpr absl::Duration kWindow = absl::Milliseconds(250);
inline constexpr double kHintTolerance = 0.5;

struct Request {
  size_t phase = 0;
  size_t tenant = 0;
  absl::Time due = {};
  absl::Time sent = {};
  absl::Time first_token = {};
  absl::Time last_token = {};
  absl::Time ended = {};
  int num_tokens = 0;
  int status = 0;  // 0: no answer
  bool is_done = false;
  bool is_complete = false;  // as HTTP
  std::string last_event = {};
  absl::Duration hint = absl::InfiniteDuration();  // none

  bool IsAdmitted() const { return status == 200; }
  bool IsRefused() const { return status == 429; }
};

struct Phase {
  const char* name;
  std::array<double, kTenants> rates = {};  // requests a second
  absl::Time start = {};
  absl::Time end = {};
  std::vector<double> gaps = {};  // milliseconds
};

inline double Ms(absl::Duration duration) {
  return absl::ToDoubleMilliseconds(duration);
}

// Of one phase.
class Report {
 public:
  // `phase` is that of the requests with this index. What it refers to
  // outlives the report.
  Report(const std::deque<Request>& requests, size_t index, const Phase& phase,
         double capacity, absl::Duration step)
      : requests_(requests),
        index_(index),
        phase_(phase),
        capacity_(capacity),
        step_(step) {
    for (const Request& request : requests_) {
      if (request.phase == index) Add(request);
    }
    CheckHints();
  }

  static void PrintHead() {
    std::printf("%-12s %8s %8s %8s %9s %15s %13s %11s %6s %6s %6s %12s %8s\n",
                "phase", "offered", "admitted", "finished", "goodput/C",
                "ttft p50/p99 ms", "gap p50/99 ms", "reject p99", "other",
                "failed", "hints", "within 50 %", "lag p99");
  }
  void Print() const {
    std::printf(
        "%-12s %8d %8d %8d %9.3f %7.1f/%7.1f %6.1f/%6.1f %8.1f ms %6d %6d %6d "
        "%10.1f %% %5.1f ms\n",
        phase_.name, num_offered_, num_admitted_, num_finished_, Goodput(),
        Percentile(first_, 0.5), Percentile(first_, 0.99),
        Percentile(phase_.gaps, 0.5), Percentile(phase_.gaps, 0.99),
        Percentile(rejects_, 0.99), num_other_, num_failed_, num_hints_,
        num_hints_ == 0 ? 100.0 : 100.0 * num_good_hints_ / num_hints_,
        Percentile(lags_, 0.99));
  }
  // How hints compare with the true waits.
  void PrintHints() const {
    if (hint_ratios_.empty()) return;
    std::printf(
        "  %s: hint / true wait p5 %.2f, p50 %.2f, p95 %.2f; true wait p50 "
        "%.0f ms, p95 %.0f ms\n",
        phase_.name, Percentile(hint_ratios_, 0.05),
        Percentile(hint_ratios_, 0.5), Percentile(hint_ratios_, 0.95),
        Percentile(true_waits_, 0.5), Percentile(true_waits_, 0.95));
  }
  // What a tenant asked for and got.
  void PrintTenants() const {
    for (size_t tenant = 0; tenant < kTenants; ++tenant) {
      const Share& share = shares_[tenant];
      std::printf("  %s: tenant %c offered %d, finished %d: %.1f %%\n",
                  phase_.name, static_cast<char>('x' + tenant), share.offered,
                  share.finished,
                  100.0 * share.finished / std::max(1, share.offered));
    }
  }
  double FirstTokenP99() const { return Percentile(first_, 0.99); }

 private:
  struct Share {
    int offered = 0;
    int finished = 0;
  };

  // Requests that finished within the phase, whenever they came.
  double Goodput() const {
    const auto finished =
        std::count_if(requests_.begin(), requests_.end(), [&](const auto& r) {
          return r.is_done && r.ended >= phase_.start && r.ended < phase_.end;
        });
    return static_cast<double>(finished) /
           absl::ToDoubleSeconds(phase_.end - phase_.start) / capacity_;
  }

  void Add(const Request& request) {
    ++num_offered_;
    ++shares_[request.tenant].offered;
    lags_.push_back(Ms(request.sent - request.due));
    if (request.IsAdmitted()) {
      ++num_admitted_;
      if (request.num_tokens > 0) {
        first_.push_back(Ms(request.first_token - request.sent));
      }
      ++(request.is_done ? num_finished_ : num_failed_);
      if (!request.is_done) {
        std::printf("failed after %d tokens, %.1f ms, answer %s: %s\n",
                    request.num_tokens, Ms(request.ended - request.sent),
                    request.is_complete ? "whole" : "cut off",
                    request.last_event.c_str());
      }
      if (request.is_done) ++shares_[request.tenant].finished;
    } else if (request.IsRefused()) {
      rejects_.push_back(Ms(request.ended - request.sent));
    } else {
      ++num_other_;
    }
  }

  void CheckHints() {
    for (size_t tenant = 0; tenant < kTenants; ++tenant) {
      // From the last to the first, so that the next one let in is known.
      absl::Time next_start = absl::InfiniteFuture();
      std::vector<const Request*> events;
      for (const Request& request : requests_) {
        if (request.tenant == tenant && request.phase >= index_) {
          events.push_back(&request);
        }
      }
      const auto when = [](const Request* request) {
        return request->IsRefused() ? request->ended : request->sent;
      };
      std::stable_sort(events.begin(), events.end(),
                       [&](const Request* a, const Request* b) {
                         return when(a) > when(b);
                       });
      for (const Request* request : events) {
        if (request->IsAdmitted() && request->num_tokens > 0) {
          next_start = request->first_token - step_;
        } else if (request->IsRefused() && request->phase == index_ &&
                   next_start < absl::InfiniteFuture()) {
          CheckHint(*request, next_start - request->ended);
        }
      }
    }
  }
  void CheckHint(const Request& request, absl::Duration wait) {
    ++num_hints_;
    const double true_ms = std::max(1.0, Ms(wait));
    const double ratio = Ms(request.hint) / true_ms;
    if (std::abs(ratio - 1) <= kHintTolerance) ++num_good_hints_;
    hint_ratios_.push_back(ratio);
    true_waits_.push_back(true_ms);
  }

  const std::deque<Request>& requests_;
  const size_t index_;
  const Phase& phase_;
  const double capacity_;
  const absl::Duration step_;
  int num_offered_ = 0;
  int num_admitted_ = 0;
  int num_finished_ = 0;
  int num_failed_ = 0;
  int num_other_ = 0;
  int num_hints_ = 0;
  int num_good_hints_ = 0;
  std::array<Share, kTenants> shares_ = {};
  std::vector<double> first_;
  std::vector<double> rejects_;
  std::vector<double> lags_;
  std::vector<double> hint_ratios_;
  std::vector<double> true_waits_;
};

// From the start of the phase until a window in which nothing is refused and
// nine of ten wait for their first token no longer than `limit_ms`.
inline absl::Duration RecoveryOf(const std::deque<Request>& requests,
                                 const Phase& now, double limit_ms) {
  for (absl::Time from = now.start; from < now.end; from += kWindow) {
    std::vector<double> first;
    bool is_calm = true;
    for (const Request& request : requests) {
      if (request.sent < from || request.sent >= from + kWindow) continue;
      is_calm = is_calm && request.IsAdmitted();
      first.push_back(Ms(request.first_token - request.sent));
    }
    if (is_calm && Percentile(first, 0.9) <= limit_ms) return from - now.start;
  }
  return absl::InfiniteDuration();
}

}  // namespace mesh::bench
