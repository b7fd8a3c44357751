// SPDX-License-Identifier: Apache-2.0
#include "gateway/http/http_server.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/gateway/http/http_fixture.h"

namespace mesh::gateway {
namespace {

constexpr char kGet[] = "GET /ok HTTP/1.1\r\nHost: h\r\n\r\n";

std::string Echo(absl::string_view body) {
  return absl::StrCat("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: ",
                      body.size(), "\r\n\r\n", body);
}

class HttpServerTest : public HttpFixture {};

TEST_F(HttpServerTest, AnswersAndKeepsTheConnection) {
  Start();
  RawClient client(Address());
  for (const char* body : {"one", "", "three"}) {
    ASSERT_TRUE(client.Send(Echo(body)));
    const RawAnswer answer = client.Answer();
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, body);
    EXPECT_TRUE(absl::StrContains(answer.head, "\r\nDate: "));
    EXPECT_FALSE(absl::StrContains(answer.head, "Connection:"));
  }
  EXPECT_EQ(server_->NumConnections(), 1);
}

TEST_F(HttpServerTest, ARequestArrivesWhole) {
  Start();
  RawClient client(Address());
  client.Send(
      "POST /v1/x?y=1 HTTP/1.1\r\nHost: h\r\nX-A: b\r\n"
      "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n");
  const TestHandler::Call call = handler_.Next();
  EXPECT_EQ(call.request.method, "POST");
  EXPECT_EQ(call.request.path, "/v1/x");
  EXPECT_EQ(call.request.query, "y=1");
  EXPECT_EQ(FindHeader(call.request.headers, "x-a"), "b");
  EXPECT_EQ(call.request.body, "abcde");
  EXPECT_EQ(call.request.peer, "127.0.0.1");
  call.responder->Respond({404, {}, "no"});
  EXPECT_EQ(client.Answer().status, 404);
}

TEST_F(HttpServerTest, ByteByByte) {
  Start();
  RawClient client(Address());
  for (const char byte : Echo("slow")) {
    ASSERT_TRUE(client.Send(absl::string_view(&byte, 1)));
  }
  EXPECT_EQ(client.Answer().body, "slow");
}

TEST_F(HttpServerTest, TheLargestBody) {
  Start();
  RawClient client(Address());
  const std::string body(4 << 20, 'a');
  std::string received;
  std::thread reader([&] { received = client.Answer().body; });
  EXPECT_TRUE(client.Send(Echo(body)));
  reader.join();
  EXPECT_EQ(received, body);
}

TEST_F(HttpServerTest, HeadHasNoBody) {
  Start();
  RawClient client(Address());
  client.Send("HEAD /ok HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_TRUE(client.Answer(false).Has("Content-Length: 4"));
  client.Send(kGet);
  EXPECT_EQ(client.Answer().body, "fine");
}

TEST_F(HttpServerTest, ConnectionCloseIsHonoured) {
  Start();
  RawClient client(Address());
  client.Send("GET /ok HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(client.Answer().Has("Connection: close"));
  EXPECT_TRUE(client.IsClosed());
}

TEST_F(HttpServerTest, Http10) {
  Start();
  RawClient once(Address());
  once.Send("GET /ok HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(once.Answer().Has("Connection: close"));
  EXPECT_TRUE(once.IsClosed());
  RawClient again(Address());
  for (int i = 0; i < 2; ++i) {
    again.Send("GET /ok HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_TRUE(again.Answer().Has("Connection: keep-alive"));
  }
}

TEST_F(HttpServerTest, PipelinedRequestsAreAnsweredInOrder) {
  Start();
  RawClient client(Address());
  std::string all;
  for (int i = 0; i < 100; ++i) all += Echo(absl::StrCat("body ", i));
  std::thread sender([&] { client.Send(all); });
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(client.Answer().body, absl::StrCat("body ", i));
  }
  sender.join();
}

TEST_F(HttpServerTest, ContinueIsSentWhenWaitedFor) {
  Start();
  RawClient client(Address());
  client.Send(
      "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n"
      "Expect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.Answer().status, 100);
  client.Send("abc");
  EXPECT_EQ(client.Answer().body, "abc");
}

TEST_F(HttpServerTest, AClientThatHasEndedItsSideIsAnswered) {
  Start();
  RawClient client(Address());
  client.Send(kGet);
  client.EndSending();
  EXPECT_EQ(client.Answer().body, "fine");
  EXPECT_TRUE(client.IsClosed());
}

TEST_F(HttpServerTest, IdleConnectionsAreClosed) {
  options_.idle_timeout = absl::Milliseconds(50);
  Start();
  RawClient client(Address());
  client.Send(kGet);
  EXPECT_EQ(client.Answer().status, 200);
  EXPECT_EQ(client.Rest(), "");
}

TEST_F(HttpServerTest, SilentConnectionsAreClosed) {
  options_.head_timeout = absl::Milliseconds(50);
  Start();
  RawClient client(Address());
  EXPECT_EQ(client.Rest(), "");
}

TEST_F(HttpServerTest, TooManyWaitingRequestsAreTurnedAway) {
  options_.num_workers = 0;
  options_.max_waiting_requests = 1;
  Start();
  RawClient first(Address());
  first.Send(kGet);
  ASSERT_TRUE(Eventually([&] { return server_->Counters().requests == 1; }));
  RawClient second(Address());
  second.Send(kGet);
  const RawAnswer answer = second.Answer();
  EXPECT_EQ(answer.status, 503);
  EXPECT_TRUE(absl::StrContains(answer.body, "\"overloaded\""));
  EXPECT_TRUE(answer.Has("Retry-After: 1"));
}

TEST_F(HttpServerTest, BodiesTogetherAreBounded) {
  options_.max_pending_body_bytes = 1000;
  Start();
  {
    RawClient first(Address());
    first.Send(Echo(std::string(900, 'a')).substr(0, 800));
    RawClient second(Address());
    // It is known when the first has been read.
    EXPECT_TRUE(Eventually([&] {
      RawClient client(Address());
      client.Send(Echo(std::string(500, 'b')));
      return client.Answer().status == 503;
    }));
    second.Send(Echo("small"));
    EXPECT_EQ(second.Answer().body, "small");
  }
  EXPECT_TRUE(Eventually([&] { return server_->NumConnections() == 0; }));
  RawClient third(Address());
  third.Send(Echo(std::string(900, 'c')));
  EXPECT_EQ(third.Answer().body.size(), 900u);
}

TEST_F(HttpServerTest, ConnectionsBeyondTheLimitAreClosedAtOnce) {
  options_.connections.max_per_address = 2;
  Start();
  RawClient first(Address());
  RawClient second(Address());
  ASSERT_TRUE(Eventually([&] { return server_->NumConnections() == 2; }));
  RawClient third(Address());
  EXPECT_TRUE(third.IsClosed());
  EXPECT_EQ(server_->Accepted().refused_per_address, 1u);
  first.Close();
  ASSERT_TRUE(Eventually([&] { return server_->NumConnections() == 1; }));
  EXPECT_EQ(GoodAnswer().status, 200);
}

TEST_F(HttpServerTest, DrainWaitsForAnswersUnderWay) {
  Start();
  RawClient busy(Address());
  RawClient idle(Address());
  busy.Send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n");
  idle.Send(kGet);
  EXPECT_EQ(idle.Answer().status, 200);
  TestHandler::Call call = handler_.Next();
  std::thread drain([&] { server_->Drain(absl::Seconds(60)); });
  ASSERT_TRUE(Eventually([&] { return !RawClient(Address()).IsConnected(); }));
  idle.Send(kGet);
  const RawAnswer answer = idle.Answer();
  EXPECT_EQ(answer.status, 503);
  EXPECT_TRUE(absl::StrContains(answer.body, "\"shutting_down\""));
  EXPECT_TRUE(answer.Has("Connection: close"));
  call.responder->Respond({200, {}, "late"});
  EXPECT_EQ(busy.Answer().body, "late");
  drain.join();
}

TEST_F(HttpServerTest, DrainEndsAtItsLimit) {
  Start();
  RawClient busy(Address());
  busy.Send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n");
  const TestHandler::Call call = handler_.Next();
  server_->Drain(absl::Milliseconds(20));
  server_ = nullptr;
  EXPECT_TRUE(busy.IsClosed());
}

// Whoever exports its counters need not know that it is being stopped.
TEST_F(HttpServerTest, CountersCanBeReadWhileItStops) {
  Start();
  RawClient client(Address());
  client.Send(kGet);
  EXPECT_EQ(client.Answer().status, 200);
  std::atomic<bool> stopped = false;
  std::thread reader([&] {
    while (!stopped) {
      EXPECT_EQ(server_->Counters().requests, 1u);
      EXPECT_GE(server_->Accepted().accepted, 1u);
    }
  });
  server_->Stop();
  stopped = true;
  reader.join();
  EXPECT_TRUE(client.IsClosed());
  EXPECT_EQ(server_->Counters().requests, 1u);
  server_->Stop();
}

TEST_F(HttpServerTest, StartSaysWhatIsWrong) {
  Start();
  for (const std::string& listen :
       {std::string("nowhere"), std::string("0.0.0.0:0"), Address()}) {
    HttpServerOptions options;
    options.listen = listen;
    EXPECT_FALSE(HttpServer::Start(options, handler_, clock_).ok()) << listen;
  }
}

TEST_F(HttpServerTest, BeyondLoopbackInALab) {
  options_.listen = "0.0.0.0:0";
  options_.insecure_lab = true;
  Start();
  EXPECT_EQ(GoodAnswer().status, 200);
}

}  // namespace
}  // namespace mesh::gateway
