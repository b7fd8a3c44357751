// SPDX-License-Identifier: Apache-2.0
// What a handler can do with an answer, and what it learns of its client.
#include "gateway/http/responder.h"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/gateway/http/http_fixture.h"

namespace mesh::gateway {
namespace {

constexpr char kStream[] = "POST /stream HTTP/1.1\r\nHost: h\r\n\r\n";

class ResponderTest : public HttpFixture {
 protected:
  // A client whose request the handler has.
  std::shared_ptr<Responder> Ask(RawClient& client,
                                 absl::string_view request = kStream) {
    EXPECT_TRUE(client.Send(request));
    return handler_.Next().responder;
  }
  // As Ask(), with the head of the stream on its way and `gone_` watching.
  std::shared_ptr<Responder> AskForStream(RawClient& client,
                                          std::string keep_alive = "") {
    std::shared_ptr<Responder> responder = Ask(client);
    responder->OnGone([this] { ++num_gone_; });
    responder->StartStream(200, {}, std::move(keep_alive));
    EXPECT_TRUE(client.WaitFor("\r\n\r\n"));
    return responder;
  }

  std::atomic<int> num_gone_ = 0;
  std::atomic<int> num_sent_ = 0;
  std::atomic<int> num_failed_ = 0;
  std::function<void(bool)> count_ = [this](bool ok) {
    ++(ok ? num_sent_ : num_failed_);
  };
};

TEST_F(ResponderTest, EveryPieceLeavesAtOnce) {
  Start();
  RawClient client(Address());
  const auto responder = AskForStream(client);
  for (const char* piece : {"one", "two", "three"}) {
    responder->Write(piece, count_);
    EXPECT_TRUE(client.WaitFor(piece));
  }
  responder->Write("", count_);
  EXPECT_TRUE(Eventually([&] { return num_sent_ == 4; }));
  responder->EndStream();
  EXPECT_EQ(client.Answer().body, "onetwothree");
  client.Send("GET /ok HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(client.Answer().body, "fine");
  EXPECT_EQ(num_gone_, 0);
}

TEST_F(ResponderTest, AStreamOverHttp10EndsWithTheConnection) {
  Start();
  RawClient client(Address());
  const auto responder =
      Ask(client, "POST /stream HTTP/1.0\r\nContent-Length: 0\r\n\r\n");
  responder->StartStream(200, {}, "");
  responder->Write("one", nullptr);
  responder->EndStream();
  EXPECT_TRUE(client.Rest().ends_with("\r\n\r\none"));
}

TEST_F(ResponderTest, AStreamForHeadHasOnlyItsHead) {
  Start();
  RawClient client(Address());
  const auto responder =
      Ask(client, "HEAD /stream HTTP/1.1\r\nHost: h\r\n\r\n");
  responder->StartStream(200, {}, "");
  responder->Write("one", count_);
  responder->EndStream();
  EXPECT_EQ(client.Answer(false).status, 200);
  EXPECT_EQ(GoodAnswer().status, 200);
  EXPECT_TRUE(Eventually([&] { return num_sent_ == 1; }));
}

TEST_F(ResponderTest, ASilentStreamIsKeptAlive) {
  options_.keep_alive_interval = absl::Milliseconds(20);
  Start();
  RawClient client(Address());
  const auto responder = AskForStream(client, ": wait\n\n");
  EXPECT_TRUE(client.WaitFor(": wait\n\n\r\n8\r\n: wait\n\n"));
  responder->EndStream();
  EXPECT_TRUE(absl::StartsWith(client.Answer().body, ": wait\n\n: wait\n\n"));
}

TEST_F(ResponderTest, WithoutAPieceForItAStreamStaysSilent) {
  options_.keep_alive_interval = absl::Milliseconds(1);
  Start();
  RawClient client(Address());
  const auto responder = AskForStream(client);
  absl::SleepFor(absl::Milliseconds(20));
  responder->Write("end", nullptr);
  responder->EndStream();
  EXPECT_EQ(client.Answer().body, "end");
}

TEST_F(ResponderTest, PiecesOfTwoWritersStayWhole) {
  Start();
  RawClient client(Address());
  const auto responder = AskForStream(client);
  const auto write = [&](char letter) {
    for (int i = 0; i < 500; ++i) {
      responder->Write(std::string(100, letter), count_);
    }
  };
  std::thread first(write, 'a');
  std::thread second(write, 'b');
  first.join();
  second.join();
  responder->EndStream();
  const std::string body = client.Answer().body;
  ASSERT_EQ(body.size(), 100'000u);
  for (size_t at = 0; at < body.size(); at += 100) {
    ASSERT_EQ(body.substr(at, 100), std::string(100, body[at]));
  }
  EXPECT_EQ(num_sent_, 1000);
}

TEST_F(ResponderTest, GoneIsCalledAtOnce) {
  Start();
  RememberDescriptors();
  for (const bool reset : {false, true}) {
    RawClient client(Address());
    const auto responder = AskForStream(client);
    reset ? client.Reset() : client.Close();
    EXPECT_TRUE(Eventually([&] { return num_gone_ == (reset ? 2 : 1); },
                           absl::Seconds(1)));
    responder->Write("more", count_);
    responder->EndStream();
    responder->Respond({});
    EXPECT_TRUE(Eventually([&] { return num_failed_ == (reset ? 2 : 1); }));
  }
  EXPECT_EQ(num_sent_, 0);
  ExpectUnharmed();
  EXPECT_EQ(num_gone_, 2);
  EXPECT_EQ(server_->Counters().disconnects, 2u);
}

TEST_F(ResponderTest, GoneBeforeTheAnswerBegins) {
  options_.linger_timeout = absl::Milliseconds(50);
  Start();
  RememberDescriptors();
  RawClient client(Address());
  const auto responder = Ask(client);
  responder->OnGone([this] { ++num_gone_; });
  client.Close();
  EXPECT_TRUE(Eventually([&] { return num_gone_ == 1; }));
  responder->StartStream(200, {}, "");
  responder->Write("x", count_);
  EXPECT_TRUE(Eventually([&] { return num_failed_ == 1; }));
  ExpectUnharmed();
}

TEST_F(ResponderTest, WhoAsksLateIsToldAtOnce) {
  Start();
  RawClient client(Address());
  const auto responder = AskForStream(client);
  client.Reset();
  EXPECT_TRUE(Eventually([&] { return num_gone_ == 1; }));
  responder->OnGone([this] { ++num_gone_; });
  EXPECT_TRUE(Eventually([&] { return num_gone_ == 2; }));
}

TEST_F(ResponderTest, WhoAsksAfterTheEndIsNotTold) {
  Start();
  RawClient client(Address());
  const auto responder = AskForStream(client);
  responder->EndStream();
  EXPECT_EQ(client.Answer().status, 200);
  responder->OnGone([this] { ++num_gone_; });
  client.Close();
  EXPECT_TRUE(Eventually([&] { return server_->NumConnections() == 0; }));
  EXPECT_EQ(num_gone_, 0);
}

TEST_F(ResponderTest, ACallbackMayCallTheResponder) {
  Start();
  RawClient client(Address());
  const auto responder = AskForStream(client);
  responder->Write("one", [&](bool) {
    responder->Write("two", [&](bool) { responder->EndStream(); });
  });
  EXPECT_EQ(client.Answer().body, "onetwo");
}

TEST_F(ResponderTest, AbortClosesTheConnection) {
  Start();
  RememberDescriptors();
  RawClient client(Address());
  const auto responder = AskForStream(client);
  responder->Abort();
  responder->Write("x", count_);
  EXPECT_TRUE(client.IsClosed());
  client.Close();
  EXPECT_TRUE(Eventually([&] { return num_failed_ == 1; }));
  EXPECT_EQ(num_gone_, 0);
  ExpectUnharmed();
}

TEST_F(ResponderTest, AForgottenAnswerIsAnError) {
  Start();
  RawClient client(Address());
  Ask(client) = nullptr;
  EXPECT_EQ(client.Answer().status, 500);
  AskForStream(client) = nullptr;
  EXPECT_TRUE(client.IsClosed());
}

TEST_F(ResponderTest, ASecondAnswerIsLeftOut) {
  Start();
  RawClient client(Address());
  const auto responder = Ask(client);
  responder->Respond({200, {}, "one"});
  responder->Respond({200, {}, "two"});
  responder->StartStream(200, {}, "");
  EXPECT_EQ(client.Answer().body, "one");
  client.Send("GET /ok HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(client.Answer().body, "fine");
}

TEST_F(ResponderTest, AClientThatDoesNotReadIsLetGo) {
  options_.write_timeout = absl::Milliseconds(100);
  Start();
  RememberDescriptors();
  RawClient client(Address());
  const auto responder = AskForStream(client);
  // More than both kernels hold.
  for (int i = 0; i < 64; ++i) {
    responder->Write(std::string(1 << 20, 'x'), count_);
  }
  EXPECT_TRUE(Eventually([&] { return num_sent_ + num_failed_ == 64; }));
  EXPECT_GE(num_failed_, 1);
  EXPECT_EQ(num_gone_, 1);
  EXPECT_EQ(server_->Counters().slow_readers, 1u);
  client.Close();
  ExpectUnharmed();
}

TEST_F(ResponderTest, AClientThatSentTooFarAheadIsStillWatched) {
  options_.max_read_ahead_bytes = 4096;
  Start();
  RawClient client(Address());
  const auto responder = AskForStream(client);
  client.Send(std::string(16 << 10, 'x'));
  client.EndSending();
  EXPECT_TRUE(Eventually([&] { return num_gone_ == 1; }));
}

TEST_F(ResponderTest, OutlivesTheServer) {
  Start();
  RawClient client(Address());
  const auto responder = AskForStream(client);
  server_ = nullptr;
  EXPECT_EQ(num_gone_, 1);
  EXPECT_TRUE(client.IsClosed());
  responder->Write("x", count_);
  responder->EndStream();
  responder->OnGone([this] { ++num_gone_; });
  EXPECT_EQ(num_gone_ + num_sent_ + num_failed_, 1);
}

TEST_F(ResponderTest, DisconnectsAtAnyPointLeaveNothing) {
  options_.linger_timeout = absl::Milliseconds(20);
  Start();
  RememberDescriptors();
  std::atomic<bool> stop = false;
  std::thread answers([&] {
    while (!stop) {
      const auto responder = handler_.TryNext().responder;
      if (responder == nullptr) continue;
      responder->StartStream(200, {}, "");
      for (int i = 0; i < 3; ++i) responder->Write("piece", count_);
      responder->EndStream();
    }
  });
  const std::string request =
      "POST /stream HTTP/1.1\r\nHost: h\r\nContent-Length: "
      "10\r\n\r\n0123456789";
  for (size_t i = 0; i < 2000; ++i) {
    RawClient client(Address());
    client.Send(absl::string_view(request).substr(0, i % request.size() + 1));
    if (i % 3 == 0) client.Reset();
  }
  ExpectUnharmed();
  stop = true;
  answers.join();
}

}  // namespace
}  // namespace mesh::gateway
