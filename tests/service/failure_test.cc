// SPDX-License-Identifier: Apache-2.0
#include "service/failure.h"

#include <gtest/gtest.h>
#include <signal.h>

namespace mesh::service {
namespace {

TEST(Failure, WakesTheProcessAndSaysWhy) {
  sigset_t term;
  sigemptyset(&term);
  sigaddset(&term, SIGTERM);
  sigset_t before;
  ASSERT_EQ(pthread_sigmask(SIG_BLOCK, &term, &before), 0);
  Failure failure;
  EXPECT_TRUE(failure.Get().ok());
  failure.Set(absl::DataLossError("the weights are damaged"));
  int signal = 0;
  ASSERT_EQ(sigwait(&term, &signal), 0);
  EXPECT_EQ(signal, SIGTERM);
  EXPECT_EQ(failure.Get(), absl::DataLossError("the weights are damaged"));
  ASSERT_EQ(pthread_sigmask(SIG_SETMASK, &before, nullptr), 0);
}

}  // namespace
}  // namespace mesh::service
