// SPDX-License-Identifier: Apache-2.0
#include "service/shutdown.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

namespace mesh::service {
namespace {

using ::testing::ExitedWithCode;
using ::testing::KilledBySignal;

TEST(ShutdownSignalDeathTest, WaitReturnsTheFirst) {
  for (const int signal : {SIGTERM, SIGINT}) {
    EXPECT_EXIT(
        {
          ShutdownSignal shutdown;
          kill(getpid(), signal);
          std::_Exit(shutdown.Wait());
        },
        ExitedWithCode(signal), "");
  }
}

TEST(ShutdownSignalDeathTest, TheSecondEndsTheProcess) {
  EXPECT_EXIT(
      {
        ShutdownSignal shutdown;
        kill(getpid(), SIGTERM);
        shutdown.Wait();
        kill(getpid(), SIGINT);
        std::_Exit(1);
      },
      KilledBySignal(SIGINT), "");
}

TEST(ShutdownSignalDeathTest, ABrokenPipeDoesNot) {
  EXPECT_EXIT(
      {
        ShutdownSignal shutdown;
        int ends[2] = {};
        if (pipe(ends) != 0) std::_Exit(1);
        close(ends[0]);
        const ssize_t written = write(ends[1], "x", 1);
        std::_Exit(written < 0 ? 7 : 1);
      },
      ExitedWithCode(7), "");
}

}  // namespace
}  // namespace mesh::service
