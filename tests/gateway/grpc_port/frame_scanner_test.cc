// SPDX-License-Identifier: Apache-2.0
#include "gateway/grpc_port/frame_scanner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "tests/gateway/grpc_port/http2_bytes.h"

namespace mesh::gateway {
namespace {

using ::testing::HasSubstr;

class FrameScannerTest : public ::testing::Test {
 protected:
  // True if all of it passes.
  bool Client(absl::string_view bytes) {
    return scanner_.ScanClient(AsBytes(bytes)) == bytes.size() &&
           !scanner_.Fault().has_value();
  }
  void Server(absl::string_view bytes) {
    scanner_.ObserveServer(AsBytes(bytes));
  }
  void Greet() { ASSERT_TRUE(Client(Greeting())); }
  bool FailedWith(CloseReason reason, Http2Error error) const {
    return scanner_.Fault().has_value() && scanner_.Fault()->reason == reason &&
           scanner_.Fault()->error == error && !scanner_.Fault()->debug.empty();
  }
  bool FailedByProtocol() const {
    return FailedWith(CloseReason::kProtocol, Http2Error::kProtocolError);
  }

  FakeClock clock_;
  FrameScanner scanner_{ScanLimits{}, clock_};
};

TEST_F(FrameScannerTest, GreetsAndTakesACall) {
  EXPECT_FALSE(scanner_.Greeted());
  Greet();
  EXPECT_TRUE(scanner_.Greeted());
  EXPECT_TRUE(Client(Headers(1, "block") + Data(1, "hello", kFlagEndStream)));
  EXPECT_EQ(scanner_.NumOpenStreams(), 1u);
  EXPECT_EQ(scanner_.LastStream(), 1u);
  Server(Settings() + Headers(1) + Data(1, "answer"));
  EXPECT_EQ(scanner_.NumOpenStreams(), 1u);
  Server(Headers(1, "trailers", kFlagEndHeaders | kFlagEndStream));
  EXPECT_EQ(scanner_.NumOpenStreams(), 0u);
}

TEST_F(FrameScannerTest, RefusesOldHttpAtItsFirstOddByte) {
  const std::string request = "POST / HTTP/1.1\r\n";
  EXPECT_EQ(scanner_.ScanClient(AsBytes(request)), 1u);  // both begin with P
  EXPECT_TRUE(FailedWith(CloseReason::kNotHttp2, Http2Error::kProtocolError));
  EXPECT_EQ(scanner_.ScanClient(AsBytes(request)), 0u);
}

TEST_F(FrameScannerTest, WantsSettingsFirst) {
  EXPECT_FALSE(Client(absl::StrCat(kHttp2Preface, Headers(1))));
  EXPECT_TRUE(FailedByProtocol());
}

TEST_F(FrameScannerTest, AnAckIsNotTheFirstSettings) {
  EXPECT_FALSE(Client(
      absl::StrCat(kHttp2Preface, Frame(FrameType::kSettings, kFlagAck, 0))));
  EXPECT_TRUE(FailedByProtocol());
}

TEST_F(FrameScannerTest, PassesNothingOfABadFrameBehindItsHeader) {
  Greet();
  const std::string good = Headers(1);
  const std::string bad = Data(3, "of an idle stream");
  EXPECT_EQ(scanner_.ScanClient(AsBytes(good + bad)),
            good.size() + kFrameHeaderBytes - 1);
  EXPECT_TRUE(FailedByProtocol());
}

TEST_F(FrameScannerTest, BoundsFrames) {
  Greet();
  EXPECT_TRUE(Client(Headers(1) + Data(1, std::string(16384, 'x'))));
  EXPECT_FALSE(Client(Data(1, std::string(16385, 'x'))));
  EXPECT_TRUE(FailedWith(CloseReason::kFrameSize, Http2Error::kFrameSizeError));
}

TEST_F(FrameScannerTest, BoundsHeaderBlocks) {
  Greet();
  const std::string half(8192, 'x');
  EXPECT_TRUE(Client(Headers(1, half, 0) + Frame(FrameType::kContinuation,
                                                 kFlagEndHeaders, 1, half)));
  EXPECT_TRUE(Client(Headers(3, half, 0) +
                     Frame(FrameType::kContinuation, 0, 3, half)));
  EXPECT_FALSE(Client(Frame(FrameType::kContinuation, 0, 3, "x")));
  EXPECT_TRUE(
      FailedWith(CloseReason::kHeaderBlock, Http2Error::kEnhanceYourCalm));
}

TEST_F(FrameScannerTest, BoundsContinuationsWithoutBytes) {
  Greet();
  EXPECT_TRUE(Client(Headers(1, "x", 0)));
  for (int i = 0; i < 8; ++i) {
    EXPECT_TRUE(Client(Frame(FrameType::kContinuation, 0, 1)));
  }
  EXPECT_FALSE(Client(Frame(FrameType::kContinuation, 0, 1)));
  EXPECT_TRUE(
      FailedWith(CloseReason::kHeaderBlock, Http2Error::kEnhanceYourCalm));
}

TEST_F(FrameScannerTest, BoundsHeadersUntilSettingsAreAcknowledged) {
  Greet();
  const std::string block(16384, 'x');
  for (uint32_t id = 1; id < 9; id += 2) {
    ASSERT_TRUE(Client(Headers(id, block)));
  }
  EXPECT_FALSE(Client(Headers(9, "x")));
  EXPECT_TRUE(
      FailedWith(CloseReason::kHeaderBlock, Http2Error::kEnhanceYourCalm));
}

TEST_F(FrameScannerTest, LeavesHeadersToTheServerOnceSettingsAreAcknowledged) {
  Greet();
  ASSERT_TRUE(Client(Frame(FrameType::kSettings, kFlagAck, 0)));
  const std::string block(16384, 'x');
  for (uint32_t id = 1; id < 199; id += 2) {
    ASSERT_TRUE(Client(Headers(id, block)));
  }
}

TEST_F(FrameScannerTest, KeepsHeaderBlocksWhole) {
  Greet();
  EXPECT_TRUE(Client(Headers(1, "x", 0)));
  EXPECT_FALSE(Client(Ping()));
  EXPECT_TRUE(FailedByProtocol());
}

TEST_F(FrameScannerTest, KeepsHeaderBlocksOfOneStream) {
  Greet();
  EXPECT_TRUE(Client(Headers(1, "x", 0)));
  EXPECT_FALSE(Client(Frame(FrameType::kContinuation, kFlagEndHeaders, 3)));
  EXPECT_TRUE(FailedByProtocol());
}

TEST_F(FrameScannerTest, BoundsResets) {
  Greet();
  for (uint32_t i = 0; i < 100; ++i) {
    ASSERT_TRUE(Client(Headers(2 * i + 1) + RstStream(2 * i + 1)));
  }
  clock_.Advance(absl::Seconds(10));
  ASSERT_TRUE(Client(Headers(201) + RstStream(201)));
  clock_.Advance(absl::Seconds(9));
  for (uint32_t i = 101; i < 200; ++i) {
    ASSERT_TRUE(Client(Headers(2 * i + 1) + RstStream(2 * i + 1)));
  }
  EXPECT_FALSE(Client(Headers(401) + RstStream(401)));
  EXPECT_TRUE(FailedWith(CloseReason::kResets, Http2Error::kEnhanceYourCalm));
}

TEST_F(FrameScannerTest, CountsResetsThatTheServerWasMadeToSend) {
  Greet();
  for (uint32_t i = 0; i < 100; ++i) {
    ASSERT_TRUE(Client(Headers(2 * i + 1)));
    Server(RstStream(2 * i + 1, 1));
    ASSERT_FALSE(scanner_.Fault().has_value());
  }
  ASSERT_TRUE(Client(Headers(201)));
  Server(RstStream(201, 1));
  EXPECT_TRUE(FailedWith(CloseReason::kResets, Http2Error::kEnhanceYourCalm));
  EXPECT_FALSE(Client(Ping()));
}

TEST_F(FrameScannerTest, EndsOfCallsAreNotResets) {
  Greet();
  for (uint32_t id = 1; id < 2000; id += 2) {
    ASSERT_TRUE(Client(Headers(id)));
    Server(Headers(id, "trailers", kFlagEndHeaders | kFlagEndStream) +
           RstStream(id, 0));
    ASSERT_TRUE(Client(RstStream(id)));
  }
  EXPECT_EQ(scanner_.NumOpenStreams(), 0u);
}

TEST_F(FrameScannerTest, BoundsControlFrames) {
  for (const std::string& frame :
       {Ping(), Settings(), Priority(1), WindowUpdate(0, 1), Data(1, ""),
        Frame(static_cast<FrameType>(99), 0, 0, "unknown"),
        Frame(FrameType::kGoaway, 0, 0, "12345678")}) {
    FrameScanner scanner(ScanLimits{}, clock_);
    const std::string greeting = Greeting() + Headers(1);
    ASSERT_EQ(scanner.ScanClient(AsBytes(greeting)), greeting.size());
    // The stream's two credits may be used first.
    int num_passed = 0;
    while (scanner.ScanClient(AsBytes(frame)) == frame.size()) ++num_passed;
    EXPECT_GE(num_passed, 200);
    EXPECT_LE(num_passed, 202);
    ASSERT_TRUE(scanner.Fault().has_value());
    EXPECT_EQ(scanner.Fault()->reason, CloseReason::kControlFrames);
    EXPECT_THAT(scanner.Fault()->debug, HasSubstr("200 control frames in 10s"));
  }
}

TEST_F(FrameScannerTest, AnswersToTheServersFramesAreFree) {
  Greet();
  ASSERT_TRUE(Client(Headers(1, "", kFlagEndHeaders | kFlagEndStream)));
  for (int i = 0; i < 100000; ++i) {
    Server(Data(1, "token"));
    ASSERT_TRUE(Client(WindowUpdate(1, 5) + WindowUpdate(0, 5) + Ping()));
  }
}

TEST_F(FrameScannerTest, IgnoresCreditBeyondItsBound) {
  Greet();
  ASSERT_TRUE(Client(Headers(1)));
  for (int i = 0; i < 100000; ++i) Server(Data(1, "token"));
  int num_passed = 0;
  while (Client(Ping())) ++num_passed;
  EXPECT_EQ(num_passed, 1024 + 200);
}

TEST_F(FrameScannerTest, BoundsStreamsAtATime) {
  Greet();
  for (uint32_t id = 1; id < 200; id += 2) ASSERT_TRUE(Client(Headers(id)));
  EXPECT_FALSE(Client(Headers(201)));
  EXPECT_TRUE(FailedWith(CloseReason::kStreams, Http2Error::kEnhanceYourCalm));
}

TEST_F(FrameScannerTest, BoundsBytesOfARequest) {
  Greet();
  ASSERT_TRUE(Client(Headers(1)));
  const std::string frame = Data(1, std::string(16384, 'x'));
  for (int i = 0; i < 512; ++i) ASSERT_TRUE(Client(frame));
  EXPECT_FALSE(Client(Data(1, "x")));
  EXPECT_TRUE(
      FailedWith(CloseReason::kRequestBytes, Http2Error::kEnhanceYourCalm));
}

TEST_F(FrameScannerTest, BoundsBytesOfRequestsThatHaveNotEnded) {
  Greet();
  // Those that have, do not count.
  for (uint32_t id = 1; id < 20; id += 2) {
    const std::string frame = Data(id, std::string(16384, 'x'));
    ASSERT_TRUE(Client(Headers(id)));
    for (int i = 0; i < 511; ++i) ASSERT_TRUE(Client(frame));
    if (id == 11) Server(RstStream(11, 0));
    ASSERT_TRUE(Client(id < 11 ? Data(id, "", kFlagEndStream) : ""));
  }
  ASSERT_TRUE(Client(Headers(21) + Data(21, std::string(16384, 'x'))));
  ASSERT_TRUE(Client(Data(21, std::string(16384, 'x'))));
  ASSERT_TRUE(Client(Data(21, std::string(16384, 'x'))));
  ASSERT_TRUE(Client(Data(21, std::string(16384, 'x'))));
  EXPECT_FALSE(Client(Data(21, "x")));
  EXPECT_TRUE(
      FailedWith(CloseReason::kRequestBytes, Http2Error::kEnhanceYourCalm));
}

TEST_F(FrameScannerTest, BoundsDataInCrumbs) {
  Greet();
  ASSERT_TRUE(Client(Headers(1)));
  for (int i = 0; i < 64 + 200; ++i) ASSERT_TRUE(Client(Data(1, "x")));
  EXPECT_FALSE(Client(Data(1, "x")));
  EXPECT_TRUE(
      FailedWith(CloseReason::kControlFrames, Http2Error::kEnhanceYourCalm));
}

TEST_F(FrameScannerTest, RefusesWindowUpdatesOfNothing) {
  Greet();
  ASSERT_TRUE(Client(Headers(1)));
  EXPECT_FALSE(Client(WindowUpdate(1, 0)));
  EXPECT_TRUE(FailedByProtocol());
}

TEST_F(FrameScannerTest, RefusesAWindowBeyondItsSize) {
  Greet();
  EXPECT_TRUE(Client(WindowUpdate(0, 0x7fffffff - 65535)));
  EXPECT_FALSE(Client(WindowUpdate(0, 1)));
  EXPECT_TRUE(
      FailedWith(CloseReason::kProtocol, Http2Error::kFlowControlError));
}

TEST_F(FrameScannerTest, RefusesFramesThatBreakARule) {
  const struct {
    std::string frame;
    Http2Error error;
  } cases[] = {
      {Headers(2), Http2Error::kProtocolError},
      {Headers(0), Http2Error::kProtocolError},
      {Data(0, "x"), Http2Error::kProtocolError},
      {RstStream(0), Http2Error::kProtocolError},
      {RstStream(3), Http2Error::kProtocolError},
      {WindowUpdate(3, 1), Http2Error::kProtocolError},
      {Priority(0), Http2Error::kProtocolError},
      {Headers(1), Http2Error::kProtocolError},  // trailers that do not end
      {Frame(FrameType::kPushPromise, 4, 1, "1234"),
       Http2Error::kProtocolError},
      {Frame(FrameType::kContinuation, 4, 1, "x"), Http2Error::kProtocolError},
      {Frame(FrameType::kPing, 0, 1, "12345678"), Http2Error::kProtocolError},
      {Frame(FrameType::kSettings, 0, 1), Http2Error::kProtocolError},
      {Frame(FrameType::kGoaway, 0, 1, "12345678"), Http2Error::kProtocolError},
      {Frame(FrameType::kPing, 0, 0, "1234"), Http2Error::kFrameSizeError},
      {Frame(FrameType::kSettings, 0, 0, "1234"), Http2Error::kFrameSizeError},
      {Frame(FrameType::kSettings, kFlagAck, 0, "123456"),
       Http2Error::kFrameSizeError},
      {Frame(FrameType::kRstStream, 0, 1, "123"), Http2Error::kFrameSizeError},
      {Frame(FrameType::kWindowUpdate, 0, 1, "12345"),
       Http2Error::kFrameSizeError},
      {Frame(FrameType::kPriority, 0, 1, "1234"), Http2Error::kFrameSizeError},
      {Data(1, "", kFlagEndStream) + Data(1, "more"),
       Http2Error::kStreamClosed},
      {Data(1, "", kFlagEndStream) +
           Headers(1, "", kFlagEndHeaders | kFlagEndStream),
       Http2Error::kStreamClosed},
  };
  for (const auto& [frame, error] : cases) {
    FrameScanner scanner(ScanLimits{}, clock_);
    const std::string bytes = Greeting() + Headers(1) + frame;
    EXPECT_LT(scanner.ScanClient(AsBytes(bytes)), bytes.size());
    ASSERT_TRUE(scanner.Fault().has_value()) << frame;
    EXPECT_EQ(scanner.Fault()->error, error) << scanner.Fault()->debug;
  }
}

TEST_F(FrameScannerTest, KnowsWhereAFrameOfOursMayStand) {
  Greet();
  EXPECT_TRUE(scanner_.ServerAtBoundary());
  Server(absl::string_view(Data(1, "token")).substr(0, 11));
  EXPECT_FALSE(scanner_.ServerAtBoundary());
  Server("ken");
  EXPECT_TRUE(scanner_.ServerAtBoundary());
}

}  // namespace
}  // namespace mesh::gateway
