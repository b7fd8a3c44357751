// SPDX-License-Identifier: Apache-2.0
#include "gateway/net/io_thread.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace mesh::gateway {
namespace {

using testing::ElementsAre;

// An answer's end is posted by the io thread, and by another one then that
// nobody holds the answer any more.
TEST(IoThreadTest, RunsInOrderWhatSeveralThreadsPostAfterEachOther) {
  IoThread io;
  std::vector<std::string> ran;
  io.Post([&] {
    io.Post([&ran] { ran.push_back("by the io thread"); });
    std::thread other([&] {
      io.Post([&ran] { ran.push_back("by another thread, later"); });
    });
    other.join();
  });
  io.Start();
  io.Stop();
  EXPECT_THAT(ran, ElementsAre("by the io thread", "by another thread, later"));
}

TEST(IoThreadTest, DropsWhatComesAfterItHasStopped) {
  IoThread io;
  io.Start();
  io.Stop();
  EXPECT_FALSE(io.Post([] { FAIL(); }));
}

}  // namespace
}  // namespace mesh::gateway
