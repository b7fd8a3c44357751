// SPDX-License-Identifier: Apache-2.0
// Admission and its tickets, asked, given back and left on many threads.
#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include "core/mutex.h"
#include "gateway/admission/admission.h"
#include "tests/gateway/admission/admission_fixture.h"

namespace mesh::gateway {
namespace {

// Tickets that were given, whoever asked.
class Purse {
 public:
  void Add(Ticket ticket) {
    MutexLock lock(mutex_);
    tickets_.push_back(std::move(ticket));
  }
  // The oldest half, to be dropped without the lock.
  std::vector<Ticket> TakeSome() {
    MutexLock lock(mutex_);
    const auto middle =
        tickets_.begin() + static_cast<ptrdiff_t>((tickets_.size() + 1) / 2);
    std::vector<Ticket> taken(std::make_move_iterator(tickets_.begin()),
                              std::make_move_iterator(middle));
    tickets_.erase(tickets_.begin(), middle);
    return taken;
  }

 private:
  Mutex mutex_;
  std::vector<Ticket> tickets_ ABSL_GUARDED_BY(mutex_);
};

void AskAndDrop(Admission& admission, Purse& purse, uint64_t seed,
                std::atomic<int>& num_calls) {
  std::mt19937_64 random(seed);
  const auto tenant = MakeTenant(std::to_string(seed % 2));
  std::vector<Place> places;
  for (int i = 0; i < 2000; ++i) {
    places.push_back(admission.Ask({.tenant = tenant, .max_tokens = 10},
                                   [&](absl::StatusOr<Ticket> ticket) {
                                     ++num_calls;
                                     if (ticket.ok())
                                       purse.Add(*std::move(ticket));
                                   }));
    if (random() % 4 == 0) places.clear();
    if (random() % 2 == 0) purse.TakeSome();
    if (random() % 16 == 0) admission.Tick();
    if (random() % 64 == 0) {
      admission.SetCapacity(static_cast<int>(random() % 16));
    }
  }
}

TEST(AdmissionThreads, CountsComeOutEven) {
  const RealClock clock;
  Admission admission({.max_waiting = {100, 10000, 10000}}, clock);
  admission.SetCapacity(8);
  Purse purse;
  std::atomic<int> num_calls = 0;
  std::vector<std::thread> threads;
  for (uint64_t seed = 0; seed < 4; ++seed) {
    threads.emplace_back(
        [&, seed] { AskAndDrop(admission, purse, seed, num_calls); });
  }
  for (std::thread& thread : threads) thread.join();
  // Until nothing runs that others waited for.
  for (int i = 0; i < 20; ++i) purse.TakeSome();
  const AdmissionStats stats = admission.Stats();
  EXPECT_EQ(stats.num_running, 0);
  EXPECT_EQ(stats.waiting, DemandSize());
  uint64_t num_shed = 0;
  for (const uint64_t count : stats.num_shed) num_shed += count;
  EXPECT_EQ(stats.num_admitted + num_shed + stats.num_cancelled, 8000u);
  // One that left while its answer was on its way is told nothing.
  EXPECT_LE(static_cast<uint64_t>(num_calls), stats.num_admitted + num_shed);
}

}  // namespace
}  // namespace mesh::gateway
