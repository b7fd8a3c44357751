// SPDX-License-Identifier: Apache-2.0
// What breaks gRPC 1.51 on a port of its own, against the guarded one: each
// attack ends as it should, the next good call is served, and descriptors are
// as before.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gateway/grpc_port/http2_frame.h"
#include "service/host_port.h"
#include "tests/gateway/grpc_port/guarded_server.h"
#include "tests/gateway/grpc_port/http2_bytes.h"
#include "tests/gateway/grpc_port/raw_client.h"
#include "tests/support/sanitized.h"

namespace mesh::gateway {
namespace {

constexpr char kTokenize[] = "/mesh.gateway.v1.InferenceService/Tokenize";
constexpr absl::Duration kSoon = absl::Seconds(10);
constexpr int kEndsBoth = kFlagEndHeaders | kFlagEndStream;

std::string Repeat(const std::string& bytes, size_t count) {
  std::string all;
  all.reserve(bytes.size() * count);
  for (size_t i = 0; i < count; ++i) all += bytes;
  return all;
}

class AttacksTest : public ::testing::Test {
 protected:
  AttacksTest() : AttacksTest(GuardedServer::TestOptions()) {}
  explicit AttacksTest(const GuardedGrpcPort::Options& options)
      : guarded_(options) {
    EXPECT_TRUE(guarded_.GoodCall().ok());
    EXPECT_TRUE(guarded_.AwaitConnections(0));
    before_ = service::ReadProcessStats();
  }

  void TearDown() override {
    const grpc::Status status = guarded_.GoodCall();
    EXPECT_TRUE(status.ok()) << status.error_message();
    EXPECT_TRUE(guarded_.AwaitConnections(0));
    EXPECT_TRUE(GuardedServer::Await([this] {
      return service::ReadProcessStats().num_fds <= before_.num_fds;
    })) << before_.num_fds
        << " before, " << service::ReadProcessStats().num_fds;
  }

  // Sends all of it on a connection that has greeted; the error of the GOAWAY
  // that must come.
  std::optional<Http2Error> ErrorOf(const std::string& bytes) {
    RawClient client(guarded_.Address());
    client.Send(Greeting());
    client.Send(bytes);
    EXPECT_TRUE(client.AwaitClose(kSoon));
    return client.Goaway();
  }

  GuardedServer guarded_;
  service::ProcessStats before_;
};

// CVE-2023-33953: gRPC's time is quadratic in the length of a header.
TEST_F(AttacksTest, HeadersThatGrowInContinuations) {
  const std::string piece(16384, 'x');
  std::string attack =
      Headers(1,
              absl::StrCat(CallHeaders(kTokenize), absl::string_view("\0", 1),
                           HpackLength(5), "large", HpackLength(16 << 20)),
              0);
  attack += Repeat(Frame(FrameType::kContinuation, 0, 1, piece), 1024);
  const double cpu = service::ReadProcessStats().cpu_seconds;
  EXPECT_EQ(ErrorOf(attack), Http2Error::kEnhanceYourCalm);
  const double used = service::ReadProcessStats().cpu_seconds - cpu;
  // Of client and server together; /proc counts in steps of 10 ms.
  if (!kSanitized) {
    EXPECT_LE(used, 0.011);
  }
  EXPECT_TRUE(guarded_.AwaitClosed(CloseReason::kHeaderBlock, 1));
}

// CVE-2023-44487: each reset costs gRPC 13 KiB.
TEST_F(AttacksTest, StreamsOpenedAndReset) {
  std::string attack;
  const std::string block = CallHeaders(kTokenize);
  for (uint32_t i = 0; i < 100000; ++i) {
    attack += Headers(2 * i + 1, block) + RstStream(2 * i + 1);
  }
  const uint64_t rss = service::ReadProcessStats().rss_bytes;
  EXPECT_EQ(ErrorOf(attack), Http2Error::kEnhanceYourCalm);
  EXPECT_TRUE(guarded_.AwaitClosed(CloseReason::kResets, 1));
  if (!kSanitized) {
    EXPECT_LE(service::ReadProcessStats().rss_bytes, rss + (8 << 20));
  }
}

// In small pieces, so that the first hundred do reach gRPC.
TEST_F(AttacksTest, StreamsOpenedAndResetOneByOne) {
  RawClient client(guarded_.Address());
  ASSERT_TRUE(client.Send(Greeting()));
  const std::string block = CallHeaders(kTokenize);
  uint32_t num_sent = 0;
  while (num_sent < 1000 && client.Send(Headers(2 * num_sent + 1, block) +
                                        RstStream(2 * num_sent + 1))) {
    ++num_sent;
  }
  ASSERT_TRUE(client.AwaitClose(kSoon));
  EXPECT_EQ(client.Goaway(), Http2Error::kEnhanceYourCalm);
  EXPECT_GE(num_sent, 100u);
}

// CVE-2025-8671: the client makes the server reset.
TEST_F(AttacksTest, ResetsThatTheServerSends) {
  RawClient client(guarded_.Address());
  ASSERT_TRUE(client.Send(Greeting()));
  const std::string block = CallHeaders(kTokenize);
  // gRPC knows no padding, and resets the stream.
  uint32_t num_reset = 0;
  while (num_reset < 1000) {
    const uint32_t id = 2 * num_reset + 1;
    client.Send(Headers(id, block) + Data(id, "\1xx", kFlagPadded));
    if (!client.AwaitFrame(FrameType::kRstStream, kSoon, id)) break;
    ++num_reset;
  }
  EXPECT_TRUE(client.AwaitClose(kSoon));
  EXPECT_EQ(client.Goaway(), Http2Error::kEnhanceYourCalm);
  EXPECT_LE(num_reset, 101u);
  EXPECT_TRUE(guarded_.AwaitClosed(CloseReason::kResets, 1));
}

TEST_F(AttacksTest, WindowUpdatesOfNothing) {
  EXPECT_EQ(ErrorOf(Headers(1, CallHeaders(kTokenize)) + WindowUpdate(1, 0)),
            Http2Error::kProtocolError);
}

TEST_F(AttacksTest, WindowsThatOverflow) {
  EXPECT_EQ(ErrorOf(Repeat(WindowUpdate(0, 0x7fffffff), 2)),
            Http2Error::kFlowControlError);
}

TEST_F(AttacksTest, FloodsOfControlFrames) {
  const std::string frames[] = {
      Ping(),
      Settings(),
      Priority(1),
      WindowUpdate(0, 1),
      WindowUpdate(1, 1),
      Data(1, ""),
      Frame(static_cast<FrameType>(0xbe), 0, 0, "unknown")};
  for (const std::string& frame : frames) {
    EXPECT_EQ(
        ErrorOf(Headers(1, CallHeaders(kTokenize)) + Repeat(frame, 20000)),
        Http2Error::kEnhanceYourCalm)
        << static_cast<int>(frame[3]);
  }
  EXPECT_TRUE(guarded_.AwaitClosed(CloseReason::kControlFrames, 7));
}

TEST_F(AttacksTest, ContinuationsWithoutBytes) {
  EXPECT_EQ(ErrorOf(Headers(1, CallHeaders(kTokenize), 0) +
                    Repeat(Frame(FrameType::kContinuation, 0, 1), 10000)),
            Http2Error::kEnhanceYourCalm);
}

TEST_F(AttacksTest, StreamsWithoutAnEnd) {
  std::string attack;
  for (uint32_t id = 1; id < 400; id += 2) {
    attack += Headers(id, CallHeaders(kTokenize));
  }
  EXPECT_EQ(ErrorOf(attack), Http2Error::kEnhanceYourCalm);
  EXPECT_TRUE(guarded_.AwaitClosed(CloseReason::kStreams, 1));
}

TEST_F(AttacksTest, OldHttp) {
  RawClient client(guarded_.Address());
  client.Send("POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(client.AwaitClose(kSoon));
  EXPECT_TRUE(client.Replies().empty());
  EXPECT_TRUE(guarded_.AwaitClosed(CloseReason::kNotHttp2, 1));
}

// A little HPACK that grows: a long value once, then an index a thousand times.
TEST_F(AttacksTest, HeadersThatGrowByIndex) {
  const std::string long_field =
      absl::StrCat("@", HpackLength(1), "a", HpackLength(3500),
                   std::string(3500, 'v'));  // into the table
  const std::string block = absl::StrCat(CallHeaders(kTokenize), long_field,
                                         std::string(12000, '\xbe'));
  const uint64_t rss = service::ReadProcessStats().rss_bytes;
  RawClient client(guarded_.Address());
  client.Send(Greeting() + Headers(1, block, kEndsBoth));
  ASSERT_TRUE(client.AwaitFrame(FrameType::kHeaders, kSoon, 1) ||
              client.AwaitFrame(FrameType::kRstStream, kSoon, 1));
  if (!kSanitized) {
    EXPECT_LE(service::ReadProcessStats().rss_bytes, rss + (8 << 20));
  }
}

class SilentTest : public AttacksTest {
 protected:
  static GuardedGrpcPort::Options Options() {
    GuardedGrpcPort::Options options = GuardedServer::TestOptions();
    options.preface_deadline = absl::Seconds(1);
    return options;
  }
  SilentTest() : AttacksTest(Options()) {}
};

// gRPC keeps them for ever.
TEST_F(SilentTest, ConnectionsThatSayNothing) {
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 900; ++i) {
    clients.push_back(std::make_unique<RawClient>(guarded_.Address()));
  }
  EXPECT_TRUE(guarded_.GoodCall().ok());
  for (const auto& client : clients) {
    ASSERT_TRUE(client->AwaitClose(absl::Seconds(5)));
    EXPECT_TRUE(client->Replies().empty());
  }
  EXPECT_TRUE(guarded_.AwaitClosed(CloseReason::kPrefaceDeadline, 900));
}

TEST_F(SilentTest, PrefacesThatTrickle) {
  RawClient client(guarded_.Address());
  const std::string greeting = Greeting();
  const absl::Time start = absl::Now();
  for (size_t i = 0; i + 1 < greeting.size() && !client.Closed(); ++i) {
    client.Send(greeting.substr(i, 1));
    client.AwaitClose(absl::Milliseconds(50));
  }
  EXPECT_TRUE(client.AwaitClose(kSoon));
  EXPECT_LT(absl::Now() - start, absl::Seconds(3));
  EXPECT_TRUE(guarded_.AwaitClosed(CloseReason::kPrefaceDeadline, 1));
}

// In a process of its own: opens as many connections, says `greeting` on each,
// keeps them while the descriptors of the server are used up, then closes all.
pid_t StartClients(const std::string& address, int count, bool greets) {
  const service::HostPort target = service::ParseHostPort(address).value();
  const std::string greeting = Greeting();
  const pid_t child = fork();
  if (child != 0) return child;
  rlimit limit = {};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  sockaddr_in peer = {};
  peer.sin_family = AF_INET;
  peer.sin_port = htons(static_cast<uint16_t>(target.port));
  peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (int i = 0; i < count; ++i) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, reinterpret_cast<sockaddr*>(&peer), sizeof(peer)) != 0) {
      _exit(1);
    }
    if (greets) {
      static_cast<void>(
          send(fd, greeting.data(), greeting.size(), MSG_NOSIGNAL));
    }
  }
  usleep(500000);
  _exit(0);
}

// CVE-2023-4785: gRPC never accepts again.
class DescriptorsTest : public AttacksTest,
                        public ::testing::WithParamInterface<bool> {};

TEST_P(DescriptorsTest, ComeBackAfterTheyWereUsedUp) {
  rlimit before = {};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit low = before;
  low.rlim_cur = static_cast<rlim_t>(before_.num_fds) + 40;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
  const pid_t child = StartClients(guarded_.Address(), 200, GetParam());
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(guarded_.AwaitConnections(0));
  EXPECT_GT(guarded_.Port().NumRefused() +
                guarded_.Port().NumClosed(CloseReason::kNoDescriptors),
            0u);
  const grpc::Status call = guarded_.GoodCall();  // still with few of them
  EXPECT_TRUE(call.ok()) << call.error_message();
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
}

INSTANTIATE_TEST_SUITE_P(Attacks, DescriptorsTest, ::testing::Bool(),
                         [](const auto& its) {
                           return its.param ? "greeting" : "silent";
                         });

}  // namespace
}  // namespace mesh::gateway
