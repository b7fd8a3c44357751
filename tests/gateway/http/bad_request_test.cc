// SPDX-License-Identifier: Apache-2.0
// What clients may send that is wrong: each gets exactly its answer, and leaves
// the server as it was.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/json.h"
#include "tests/gateway/http/http_fixture.h"

namespace mesh::gateway {
namespace {

struct BadRequest {
  const char* name;
  std::string bytes;
  int status;  // 0: the connection is closed without an answer
  const char* code = "";
};

class BadRequestTest : public HttpFixture,
                       public ::testing::WithParamInterface<BadRequest> {
 protected:
  BadRequestTest() {
    options_.head_timeout = absl::Milliseconds(100);
    options_.body_grace = absl::Milliseconds(100);
  }
};

void ExpectError(const RawAnswer& answer, const BadRequest& row) {
  ASSERT_EQ(answer.status, row.status) << answer.head << answer.body;
  EXPECT_TRUE(answer.Has("Connection: close")) << answer.head;
  EXPECT_TRUE(answer.Has("Content-Type: application/json")) << answer.head;
  const auto body = ParseJson(answer.body, "answer");
  ASSERT_OK(body);
  const Json& error = (*body)["error"];
  EXPECT_EQ(error["code"], row.code);
  EXPECT_TRUE(error["message"].is_string());
  EXPECT_TRUE(error["type"].is_string());
  EXPECT_TRUE(error["param"].is_null());
}

TEST_P(BadRequestTest, GetsItsAnswer) {
  const BadRequest& row = GetParam();
  Start();
  RememberDescriptors();
  {
    RawClient client(Address());
    client.Send(row.bytes);
    if (row.status == 0) {
      EXPECT_EQ(client.Rest(), "");
    } else {
      ExpectError(client.Answer(), row);
      EXPECT_TRUE(client.IsClosed());
    }
  }
  ExpectUnharmed();
}

// A POST over HTTP/1.1 with these header lines besides Host.
std::string Post(const std::vector<std::string>& lines,
                 absl::string_view body = "") {
  return absl::StrCat("POST /echo HTTP/1.1\r\nHost: h\r\n",
                      absl::StrJoin(lines, "\r\n"), "\r\n\r\n", body);
}

std::string Get(absl::string_view target, absl::string_view lines = "") {
  return absl::StrCat("GET ", target, " HTTP/1.1\r\nHost: h\r\n", lines,
                      "\r\n");
}

std::string Chunks(absl::string_view bytes) {
  return Post({"Transfer-Encoding: chunked"}, bytes);
}

std::vector<BadRequest> Framings() {
  const std::string length = "Content-Length: 5";
  const std::string chunked = "Transfer-Encoding: chunked";
  std::string small_chunks;
  while (small_chunks.size() < 3'000'000) small_chunks += "6\r\nabcdef\r\n";
  return {
      {"LengthAndCoding", Post({length, chunked}, "0\r\n\r\n"), 400,
       "bad_framing"},
      {"TwoLengths", Post({length, "Content-Length: 6"}, "abcde"), 400,
       "duplicate_header"},
      {"Plus", Post({"Content-Length: +5"}, "abcde"), 400,
       "bad_content_length"},
      {"List", Post({"Content-Length: 5, 5"}, "abcde"), 400,
       "bad_content_length"},
      {"Negative", Post({"Content-Length: -1"}), 400, "bad_content_length"},
      {"TooLong", Post({"Content-Length: 18446744073709551616"}), 400,
       "bad_content_length"},
      {"UnknownCoding", Post({"Transfer-Encoding: xchunked"}), 501,
       "not_implemented"},
      {"IdentityLast", Post({"Transfer-Encoding: chunked, identity"}), 400,
       "bad_transfer_encoding"},
      {"ChunkedTwice", Post({chunked, chunked}), 400, "bad_transfer_encoding"},
      {"HugeChunk", Chunks("FFFFFFFFFFFFFFFF\r\n"), 400, "bad_chunk"},
      {"NegativeChunk", Chunks("-1\r\n"), 400, "bad_chunk"},
      {"SpaceBefore", Chunks(" 5\r\nabcde\r\n"), 400, "bad_chunk"},
      {"Prefix", Chunks("0x5\r\nabcde\r\n"), 400, "bad_chunk"},
      {"LongExtension",
       Chunks(absl::StrCat("5;", std::string(64 << 10, 'a'), "\r\nabcde\r\n")),
       400, "bad_chunk"},
      {"SmallChunks", Chunks(small_chunks), 400, "too_many_chunks"},
      {"Http10WithoutLength", "POST /echo HTTP/1.0\r\n\r\n", 411,
       "length_required"},
      {"ExpectTooMuch",
       Post({"Content-Length: 99999999", "Expect: 100-continue"}), 413,
       "request_too_large"},
      {"Compressed", Post({length, "Content-Encoding: gzip"}, "abcde"), 415,
       "unsupported_encoding"},
      {"LargeBody",
       Post({"Content-Length: 10000000"}, std::string(10'000'000, 'a')), 413,
       "request_too_large"},
      {"LargeChunks",
       Chunks(absl::StrCat("989680\r\n", std::string(10'000'000, 'a'))), 413,
       "request_too_large"},
  };
}

std::vector<BadRequest> Heads() {
  const std::string nul("X: a\0b\r\n", 8);
  std::string many;
  for (int i = 0; i < 10000; ++i) absl::StrAppend(&many, "A", i, ": b\r\n");
  return {
      {"BareLf", "GET /ok HTTP/1.1\nHost: h\n\n", 400, "bad_line_end"},
      {"CrAlone", Get("/ok", "A: b\rC: d\r\n"), 400, "bad_line_end"},
      {"Nul", Get("/ok", nul), 400, "bad_character"},
      {"Folded", Get("/ok", "A: b\r\n c\r\n"), 400, "bad_header"},
      {"SpaceBeforeColon", Get("/ok", "A : b\r\n"), 400, "bad_header"},
      {"EmptyName", Get("/ok", ": b\r\n"), 400, "bad_header"},
      {"ManyHeaders", Get("/ok", many), 431, "too_many_headers"},
      {"HugeHeader",
       Get("/ok", absl::StrCat("X: ", std::string(4 << 20, 'a'), "\r\n")), 431,
       "headers_too_large"},
      {"LongBearer",
       Get("/ok", absl::StrCat("Authorization: Bearer ",
                               std::string(100'000, 'k'), "\r\n")),
       431, "headers_too_large"},
      {"TwoAuthorizations",
       Get("/ok", "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n"),
       400, "duplicate_header"},
      {"LongRequestLine", Get(absl::StrCat("/", std::string(1 << 20, 'a'))),
       414, "uri_too_long"},
      {"Absolute", Get("http://h/ok"), 404, "not_found"},
      {"Asterisk", Get("*"), 404, "not_found"},
      {"TwoSlashes", Get("//ok"), 400, "bad_target"},
      {"DotDot", Get("/a/../ok"), 400, "bad_target"},
      {"EncodedNul", Get("/ok%00"), 400, "bad_target"},
      {"EncodedDots", Get("/a/%2e%2e/ok"), 400, "bad_target"},
      {"NoHost", "GET /ok HTTP/1.1\r\n\r\n", 400, "bad_host"},
      {"TwoHosts", Get("/ok", "Host: i\r\n"), 400, "bad_host"},
      {"HostWithAt", "GET /ok HTTP/1.1\r\nHost: a@b\r\n\r\n", 400, "bad_host"},
      {"Trace", "TRACE /ok HTTP/1.1\r\nHost: h\r\n\r\n", 405,
       "method_not_allowed"},
      {"Connect", "CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n", 405,
       "method_not_allowed"},
      {"Unknown", "FOO /ok HTTP/1.1\r\nHost: h\r\n\r\n", 501,
       "not_implemented"},
      {"Http09", "GET /ok\r\n", 505, "bad_http_version"},
      {"Http99", "GET /ok HTTP/9.9\r\nHost: h\r\n\r\n", 505,
       "bad_http_version"},
  };
}

std::vector<BadRequest> Silences() {
  return {
      {"TlsOnThePlainPort",
       std::string("\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", 10), 0},
      {"ShortBody", Post({"Content-Length: 50"}, "abc"), 408,
       "request_timeout"},
      {"ShortChunk", Chunks("5\r\nab"), 408, "request_timeout"},
      {"HalfAHead", "GET /ok HT", 408, "request_timeout"},
      {"OnlyALineEnd", "\r\n", 408, "request_timeout"},
  };
}

std::string NameOf(const ::testing::TestParamInfo<BadRequest>& row) {
  return row.param.name;
}

INSTANTIATE_TEST_SUITE_P(Framing, BadRequestTest,
                         ::testing::ValuesIn(Framings()), NameOf);
INSTANTIATE_TEST_SUITE_P(Head, BadRequestTest, ::testing::ValuesIn(Heads()),
                         NameOf);
INSTANTIATE_TEST_SUITE_P(Silence, BadRequestTest,
                         ::testing::ValuesIn(Silences()), NameOf);

// Rows that are more than one request and one answer.
class BadClientTest : public HttpFixture {};

TEST_F(BadClientTest, GarbageBehindABody) {
  Start();
  RememberDescriptors();
  {
    RawClient client(Address());
    client.Send(Post({"Content-Length: 3"}, "abcgarbage\x01"));
    EXPECT_EQ(client.Answer().body, "abc");
    EXPECT_EQ(client.Answer().status, 400);
    EXPECT_TRUE(client.IsClosed());
  }
  ExpectUnharmed();
}

TEST_F(BadClientTest, SlowHeadsDoNotHurtOthers) {
  options_.head_timeout = absl::Milliseconds(300);
  Start();
  RememberDescriptors();
  {
    std::vector<std::unique_ptr<RawClient>> slow;
    for (int i = 0; i < 500; ++i) {
      slow.push_back(std::make_unique<RawClient>(Address()));
      slow.back()->Send("G");
    }
    const absl::Time before = absl::Now();
    EXPECT_EQ(GoodAnswer().status, 200);
    EXPECT_LT(absl::Now() - before, absl::Seconds(2));
    for (const auto& client : slow) EXPECT_EQ(client->Answer().status, 408);
  }
  EXPECT_EQ(server_->Counters().timed_out, 500u);
  ExpectUnharmed();
}

TEST_F(BadClientTest, ABodyMustKeepItsRate) {
  options_.body_grace = absl::Milliseconds(50);
  options_.min_body_bytes_per_second = 1000;
  Start();
  RawClient client(Address());
  client.Send(Post({"Content-Length: 1000000"}));
  const absl::Time start = absl::Now();
  std::thread trickle([&] {
    while (client.Send("x")) absl::SleepFor(absl::Milliseconds(20));
  });
  EXPECT_EQ(client.Answer().status, 408);
  EXPECT_LT(absl::Now() - start, absl::Seconds(5));
  // It ends when the server has hung up.
  trickle.join();
}

TEST_F(BadClientTest, TooMuchIsRefusedBeforeItIsSent) {
  Start();
  RawClient client(Address());
  client.Send(Post({"Content-Length: 5000000", "Expect: 100-continue"}));
  EXPECT_EQ(client.Answer().status, 413);
  EXPECT_TRUE(client.IsClosed());
}

TEST_F(BadClientTest, PipeliningIsNotReadAhead) {
  Start();
  RememberDescriptors();
  {
    RawClient client(Address());
    const std::string request = Get("/later");
    std::string all;
    while (all.size() < (64 << 20)) all += request;
    const TestHandler::Call first = [&] {
      client.Send(request);
      return handler_.Next();
    }();
    // The rest stays with the client once the buffers on the way are full.
    size_t num_sent = 0;
    for (size_t size = 1; size > 0;) {
      size = client.SendSome(absl::string_view(all).substr(num_sent));
      num_sent += size;
      absl::SleepFor(absl::Milliseconds(10));
    }
    EXPECT_LT(num_sent, all.size());
    EXPECT_EQ(server_->Counters().requests, 1u);
    first.responder->Respond({200, {}, "first"});
    EXPECT_EQ(client.Answer().body, "first");
    handler_.Next().responder->Respond({200, {}, "second"});
    EXPECT_EQ(client.Answer().body, "second");
  }
  // The end of the connection is stuck behind the requests on the way: it shows
  // with the next answer.
  handler_.Next().responder->Respond({});
  ExpectUnharmed();
}

TEST_F(BadClientTest, UpgradesAreIgnored) {
  Start();
  for (const char* protocol : {"h2c", "websocket"}) {
    RawClient client(Address());
    client.Send(Get("/ok", absl::StrCat("Connection: Upgrade\r\nUpgrade: ",
                                        protocol, "\r\n")));
    EXPECT_EQ(client.Answer().body, "fine");
    client.Send(Get("/ok"));
    EXPECT_EQ(client.Answer().body, "fine");
  }
}

TEST_F(BadClientTest, DisconnectBeforeTheRequestIsWhole) {
  Start();
  RememberDescriptors();
  for (const char* lines : {"GET /ok HT", "GET /ok HTTP/1.1\r\nHost: h\r\n"}) {
    RawClient(Address()).Send(lines);
  }
  RawClient(Address()).Send(Post({"Content-Length: 50"}, "abc"));
  ExpectUnharmed();
  EXPECT_EQ(server_->Counters().requests, 1u);
}

TEST_F(BadClientTest, NeverReads) {
  options_.write_timeout = absl::Milliseconds(100);
  Start();
  RememberDescriptors();
  {
    RawClient client(Address());
    client.Send(Get("/large"));
    const TestHandler::Call call = handler_.Next();
    std::atomic<bool> is_gone = false;
    call.responder->OnGone([&] { is_gone = true; });
    call.responder->Respond({200, {}, std::string(64 << 20, 'x')});
    EXPECT_TRUE(Eventually([&] { return is_gone.load(); }));
  }
  ExpectUnharmed();
}

TEST_F(BadClientTest, AFloodOfConnectionsIsCapped) {
  options_.connections.max_new_per_second = 50;
  Start();
  RememberDescriptors();
  for (int i = 0; i < 5000; ++i) RawClient(Address()).Reset();
  EXPECT_TRUE(Eventually([&] {
    return server_->Accepted().accepted + server_->Accepted().refused_rate >=
           5000;
  }));
  EXPECT_GE(server_->Accepted().refused_rate, 1000u);
  // Within a second it takes the next one.
  EXPECT_TRUE(
      Eventually([&] { return GoodAnswer().status == 200; }, absl::Seconds(2)));
  absl::SleepFor(absl::Milliseconds(50));
  ExpectUnharmed();
}

}  // namespace
}  // namespace mesh::gateway
