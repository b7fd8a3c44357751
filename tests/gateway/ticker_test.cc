// SPDX-License-Identifier: Apache-2.0
#include "gateway/ticker.h"

#include <gtest/gtest.h>

#include <atomic>

namespace mesh::gateway {
namespace {

TEST(Ticker, TicksUntilStopped) {
  std::atomic<int> num_ticks = 0;
  Mutex mutex;
  CondVar changed;
  Ticker ticker;
  ticker.Start(absl::Milliseconds(1), [&] {
    MutexLock lock(mutex);
    ++num_ticks;
    changed.NotifyAll();
  });
  {
    MutexLock lock(mutex);
    while (num_ticks < 3) changed.Wait(mutex);
  }
  ticker.Stop();
  const int after_stop = num_ticks;
  ticker.Stop();
  EXPECT_EQ(num_ticks, after_stop);
}

TEST(Ticker, StopDoesNotWaitForTheInterval) {
  Ticker ticker;
  ticker.Start(absl::Hours(1), [] {});
  ticker.Stop();
}

}  // namespace
}  // namespace mesh::gateway
