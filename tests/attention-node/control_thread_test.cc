// SPDX-License-Identifier: Apache-2.0
#include "attention-node/control_thread.h"

#include <gtest/gtest.h>

#include <atomic>

namespace mesh::attention {
namespace {

TEST(ControlThread, WorksAtOnceWhenItIsTimeAndWhenWoken) {
  const RealClock clock;
  ControlThread thread(clock);
  std::atomic<int> num_runs = 0;
  const auto wait_for = [&](int runs) {
    for (int seen = num_runs.load(); seen < runs; seen = num_runs.load()) {
      num_runs.wait(seen);
    }
  };
  thread.Start([&] {
    const int run = ++num_runs;
    num_runs.notify_all();
    // Twice by the clock, then only when woken.
    return run < 3 ? clock.Now() + absl::Milliseconds(1)
                   : absl::InfiniteFuture();
  });
  wait_for(3);
  thread.Wake();
  wait_for(4);
  thread.Stop();
  thread.Stop();
  EXPECT_EQ(num_runs.load(), 4);
}

TEST(ControlThread, AWakeBeforeTheStartCounts) {
  const RealClock clock;
  ControlThread thread(clock);
  std::atomic<int> num_runs = 0;
  thread.Wake();
  thread.Start([&] {
    ++num_runs;
    num_runs.notify_all();
    return absl::InfiniteFuture();
  });
  while (num_runs.load() < 2) num_runs.wait(num_runs.load());
  thread.Stop();
  EXPECT_EQ(num_runs.load(), 2);
}

}  // namespace
}  // namespace mesh::attention
