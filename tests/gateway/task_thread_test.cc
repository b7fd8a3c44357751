// SPDX-License-Identifier: Apache-2.0
#include "gateway/task_thread.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace mesh::gateway {
namespace {

using ::testing::ElementsAre;

TEST(TaskThread, RunsInOrderAndToTheEnd) {
  std::vector<int> order;
  {
    TaskThread tasks;
    tasks.Post([&] {
      order.push_back(1);
      tasks.Post([&] { order.push_back(3); });
    });
    tasks.Post([&] { order.push_back(2); });
  }
  EXPECT_THAT(order, ::testing::UnorderedElementsAre(1, 2, 3));
  EXPECT_EQ(order.front(), 1);
}

TEST(TaskThread, LetsGoOfWhatATaskHolds) {
  TaskThread tasks;
  auto held = std::make_shared<int>(0);
  const std::weak_ptr<int> watch = held;
  Mutex mutex;
  CondVar changed;
  bool is_done = false;
  tasks.Post([held = std::move(held)] {});
  tasks.Post([&] {
    const MutexLock lock(mutex);
    is_done = true;
    changed.NotifyAll();
  });
  const MutexLock lock(mutex);
  while (!is_done) changed.Wait(mutex);
  EXPECT_TRUE(watch.expired());
}

}  // namespace
}  // namespace mesh::gateway
