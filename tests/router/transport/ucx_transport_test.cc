// SPDX-License-Identifier: Apache-2.0
#include "router/transport/ucx_transport.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <string>
#include <utility>

#include "router/transport/ucx_lane.h"
#include "tests/router/transport/ucx_ends.h"
#include "tests/support/sanitized.h"

namespace mesh::router {
namespace {

class UcxTransportTest : public UcxEnds {};

absl::Duration CpuTime() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return absl::DurationFromTimeval(usage.ru_utime) +
         absl::DurationFromTimeval(usage.ru_stime);
}

int64_t NumOpenFiles() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/fd"),
                       std::filesystem::directory_iterator());
}

int SocketOption(int fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof(value);
  getsockopt(fd, level, name, &value, &size);
  return value;
}

TEST_F(UcxTransportTest, TheLaneIsTcpAndSaysSo) {
  EXPECT_EQ(a_.transport->Stats().lane, "");
  ExpectGoodExchange();
  EXPECT_EQ(a_.transport->Stats().lane, "tcp/lo");
  EXPECT_EQ(b_.transport->Stats().lane, "tcp/lo");
}

TEST_F(UcxTransportTest, TheEnvironmentChangesNothing) {
  setenv("UCX_TLS", "posix", 1);
  setenv("UCX_NET_DEVICES", "nonsense", 1);
  setenv("UCX_RNDV_THRESH", "0", 1);
  a_ = Open();
  b_ = Open();
  unsetenv("UCX_TLS");
  unsetenv("UCX_NET_DEVICES");
  unsetenv("UCX_RNDV_THRESH");
  ExpectGoodExchange();
  EXPECT_EQ(a_.transport->Stats().lane, "tcp/lo");
}

TEST_F(UcxTransportTest, TheKernelProbesSilentConnections) {
  setenv("UCX_TCP_KEEPIDLE", "77s", 1);
  a_ = Open();
  unsetenv("UCX_TCP_KEEPIDLE");
  ExpectGoodExchange();
  int num_probing = 0;
  for (const auto& file :
       std::filesystem::directory_iterator("/proc/self/fd")) {
    const int fd = std::atoi(file.path().filename().c_str());
    // UCX sets it at the end that has made the connection: the dialer's.
    if (SocketOption(fd, SOL_SOCKET, SO_KEEPALIVE) != 1) continue;
    ++num_probing;
    EXPECT_EQ(SocketOption(fd, IPPROTO_TCP, TCP_KEEPIDLE), 1);
    EXPECT_EQ(SocketOption(fd, IPPROTO_TCP, TCP_KEEPINTVL), 1);
    EXPECT_EQ(SocketOption(fd, IPPROTO_TCP, TCP_KEEPCNT), 3);
  }
  EXPECT_EQ(num_probing, 1);
}

TEST_F(UcxTransportTest, RefusesOptionsThatMakeNoSense) {
  EXPECT_THAT(OpenUcx({.device = "no-such-device"}, clock_),
              StatusIs(absl::StatusCode::kUnavailable,
                       ::testing::HasSubstr("no-such-device")));
  EXPECT_THAT(OpenUcx({.max_frame_bytes = 10}, clock_),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(OpenUcx({.max_links = 0}, clock_),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(UcxTransportTest, CarriesTheLargestFramesBothWays) {
  ExpectGoodExchange();
  const PeerId at_a = a_inbox_.senders.back();
  const PeerId at_b = b_inbox_.senders.back();
  std::string large(a_.transport->MaxFrameBytes(), ' ');
  for (size_t i = 0; i < large.size(); ++i) {
    large[i] = static_cast<char>(i * 7919 >> 8);
  }
  for (int i = 0; i < 5; ++i) {
    ASSERT_OK(SendText(a_, at_a, large));
    ASSERT_OK(SendText(b_, at_b, large));
  }
  ASSERT_TRUE(PollUntil([&] {
    return a_inbox_.texts.size() == 6 && b_inbox_.texts.size() == 6;
  }));
  for (size_t i = 1; i < 6; ++i) {
    EXPECT_TRUE(a_inbox_.texts[i] == large);
    EXPECT_TRUE(b_inbox_.texts[i] == large);
  }
  EXPECT_TRUE(a_inbox_.aligned && b_inbox_.aligned);
}

TEST_F(UcxTransportTest, BothEndsMayDial) {
  const auto to_b = Dial(a_, b_);
  const auto to_a = Dial(b_, a_);
  ASSERT_OK(to_b);
  ASSERT_OK(to_a);
  ASSERT_OK(SendText(a_, *to_b, "from a"));
  ASSERT_OK(SendText(b_, *to_a, "from b"));
  ASSERT_TRUE(PollUntil(
      [&] { return !a_inbox_.texts.empty() && !b_inbox_.texts.empty(); }));
  EXPECT_EQ(a_.transport->Stats().num_links, 2);
}

TEST_F(UcxTransportTest, APeerThatNeverReadsCostsBoundedMemory) {
  ExpectGoodExchange();
  const PeerId to_b = a_inbox_.senders.back();
  const std::string frame(size_t{1} << 20, 'x');
  absl::Status status;
  size_t num_sent = 0;
  while (status.ok() && num_sent < 1000) {
    status = SendText(a_, to_b, frame);
    if (status.ok()) ++num_sent;
  }
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_LT(num_sent, 80U);
  // Small ones are bounded too.
  const std::string tiny = "x";
  for (num_sent = 0; num_sent < 1000000; ++num_sent) {
    if (!SendText(a_, to_b, tiny).ok()) break;
  }
  EXPECT_LT(num_sent, 100000U);
  const uint64_t sent = a_.transport->Stats().frames_sent;
  ASSERT_TRUE(PollUntil([&] { return b_inbox_.texts.size() == sent; }));
  ExpectGoodExchange();
}

TEST_F(UcxTransportTest, ANodeThatDoesNotAnswerTheHelloIsLost) {
  const auto to_b = Dial(a_, b_);  // b does not poll
  ASSERT_OK(to_b);
  ASSERT_OK(SendText(a_, *to_b, "x"));
  a_.transport->Poll(a_inbox_);
  EXPECT_TRUE(a_inbox_.lost.empty());
  clock_.Advance(UcxOptions().hello_timeout);
  a_.transport->Poll(a_inbox_);
  EXPECT_EQ(a_inbox_.lost, std::vector<PeerId>{*to_b});
  EXPECT_EQ(a_.transport->Stats().num_links, 0);
  ExpectGoodExchange();
}

TEST_F(UcxTransportTest, AWrongTokenOpensNothing) {
  auto offer = b_.acceptor->Offer("test", a_.local_address);
  ASSERT_OK(offer);
  offer->token[0] = static_cast<char>(offer->token[0] ^ 1);
  const auto to_b = a_.transport->Connect(ConnectAddress("ucx", *offer));
  ASSERT_OK(to_b);
  ASSERT_OK(SendText(a_, *to_b, "let me in"));
  ASSERT_TRUE(PollUntil([&] {
    return b_.transport->Stats().hellos_rejected == 1 &&
           b_.transport->Stats().messages_dropped == 1;
  }));
  EXPECT_EQ(b_.transport->Stats().num_links, 0);
  clock_.Advance(UcxOptions().hello_timeout);
  ASSERT_TRUE(PollUntil([&] { return a_inbox_.lost.size() == 1; }));
  EXPECT_TRUE(b_inbox_.texts.empty());
  ExpectGoodExchange();
}

TEST_F(UcxTransportTest, TheDoorBoundsLinksAndOutlivesTheTransport) {
  UcxEnd small = Open({.max_links = 1});
  ASSERT_OK(Dial(a_, small));
  ASSERT_TRUE(PollUntil([&] {
    small.transport->Poll(b_inbox_);
    return small.transport->Stats().num_links == 1;
  }));
  EXPECT_THAT(Dial(b_, small), StatusIs(absl::StatusCode::kResourceExhausted));
  small.transport = nullptr;
  EXPECT_THAT(Dial(b_, small), StatusIs(absl::StatusCode::kUnavailable));
}

TEST_F(UcxTransportTest, AnEndThatIsDestroyedInARendezvousHarmsNobody) {
  const std::string large(a_.transport->MaxFrameBytes(), 'x');
  for (int round = 0; round < 4; ++round) {
    ExpectGoodExchange();
    const PeerId to_b = a_inbox_.senders.back();
    const PeerId to_a = b_inbox_.senders.back();
    for (int i = 0; i < 8; ++i) {
      ASSERT_OK(SendText(a_, to_b, large));
      ASSERT_OK(SendText(b_, to_a, large));
    }
    for (int i = 0; i < round; ++i) PollOnce();
    const size_t lost = a_inbox_.lost.size();
    b_.transport = nullptr;
    ASSERT_TRUE(PollUntil([&] { return a_inbox_.lost.size() > lost; }));
    EXPECT_EQ(a_inbox_.lost.back(), to_b);
    EXPECT_EQ(a_.transport->Stats().num_links, 0);
    b_ = Open();
  }
  ExpectGoodExchange();
}

TEST_F(UcxTransportTest, SleepingCostsNoCpu) {
  ExpectGoodExchange();
  const absl::Duration before = CpuTime();
  const absl::Time end = absl::Now() + absl::Milliseconds(500);
  int num_waits = 0;
  while (absl::Now() < end) {
    a_.transport->Wait(end - absl::Now());
    a_.transport->Poll(a_inbox_);
    ++num_waits;
  }
  EXPECT_LT(CpuTime() - before, absl::Milliseconds(100));
  EXPECT_LT(num_waits, 50);
}

TEST_F(UcxTransportTest, LinksThatComeAndGoLeaveNoFilesOpen) {
  const int num_cycles = kSanitized ? 50 : 1000;
  ExpectGoodExchange();
  const int64_t before = NumOpenFiles();
  for (int i = 0; i < num_cycles; ++i) {
    const size_t lost = b_inbox_.lost.size();
    a_ = Open();
    ExpectGoodExchange();
    a_.transport = nullptr;
    ASSERT_TRUE(PollUntil([&] { return b_inbox_.lost.size() > lost; })) << i;
    b_inbox_ = {};
  }
  a_ = Open();
  ExpectGoodExchange();
  EXPECT_LE(NumOpenFiles(), before + 4);
}

TEST(UcxLane, IsReadFromWhatUcxPrints) {
  EXPECT_EQ(LaneOf("# UCP endpoint\n#\n"
                   "#   lane[0]:  1:tcp/eth0.0 md[1] -> md[1]/tcp/sysdev[255] "
                   "rma_bw#0 am am_bw#0 wireup\n"),
            "tcp/eth0");
  EXPECT_EQ(LaneOf("#   lane[0]:  1:tcp/eth0.0 md[1] -> md[1]/tcp wireup\n"
                   "#   lane[1]:  2:tcp/eth1.0 md[1] -> md[1]/tcp am\n"),
            "tcp/eth1");
  EXPECT_EQ(LaneOf(""), "");
  EXPECT_EQ(LaneOf("lane[0] am\nnothing of use"), "");
}

}  // namespace
}  // namespace mesh::router
