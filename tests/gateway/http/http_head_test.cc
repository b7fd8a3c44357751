// SPDX-License-Identifier: Apache-2.0
#include "gateway/http/http_head.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace mesh::gateway {
namespace {

using Framing = HttpHead::Framing;

HttpHead Parse(absl::string_view text, size_t rest = 0) {
  HttpHeadParser parser;
  EXPECT_EQ(parser.Feed(text), text.size() - rest);
  EXPECT_TRUE(parser.Done()) << text;
  return parser.Take();
}

TEST(HttpHeadTest, AllParts) {
  const HttpHead head = Parse(
      "POST /v1/chat?a=b&c HTTP/1.1\r\nHost: h:80\r\nX-One:  two words \t\r\n"
      "Content-Length: 12\r\n\r\nrest",
      4);
  EXPECT_EQ(head.method, "POST");
  EXPECT_EQ(head.path, "/v1/chat");
  EXPECT_EQ(head.query, "a=b&c");
  EXPECT_EQ(FindHeader(head.headers, "x-one"), "two words");
  EXPECT_EQ(head.framing, Framing::kLength);
  EXPECT_EQ(head.content_length, 12u);
  EXPECT_TRUE(head.keep_alive);
  EXPECT_FALSE(head.is_http_1_0);
  EXPECT_FALSE(head.expects_continue);
}

TEST(HttpHeadTest, Chunked) {
  const HttpHead head =
      Parse("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n");
  EXPECT_EQ(head.framing, Framing::kChunked);
}

TEST(HttpHeadTest, NoBody) {
  EXPECT_EQ(Parse("GET / HTTP/1.1\r\nHost: h\r\n\r\n").framing, Framing::kNone);
  // As RFC 9112, 6.3 has it.
  EXPECT_EQ(Parse("POST / HTTP/1.1\r\nHost: h\r\n\r\n").framing,
            Framing::kNone);
}

TEST(HttpHeadTest, OneEmptyLineBefore) {
  EXPECT_EQ(Parse("\r\nGET /x HTTP/1.1\r\nHost: h\r\n\r\n").path, "/x");
}

TEST(HttpHeadTest, WhatKeepsTheConnection) {
  const std::string now = "GET / HTTP/1.1\r\nHost: h\r\n";
  const std::string then = "GET / HTTP/1.0\r\n";
  EXPECT_TRUE(Parse(now + "\r\n").keep_alive);
  EXPECT_FALSE(Parse(now + "Connection: Close\r\n\r\n").keep_alive);
  EXPECT_FALSE(Parse(now + "Connection: x, close\r\n\r\n").keep_alive);
  EXPECT_FALSE(Parse(then + "\r\n").keep_alive);
  EXPECT_TRUE(Parse(then + "Connection: keep-alive\r\n\r\n").keep_alive);
}

TEST(HttpHeadTest, Expectation) {
  EXPECT_TRUE(Parse("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n"
                    "Expect: 100-Continue\r\n\r\n")
                  .expects_continue);
}

TEST(HttpHeadTest, GoodTargets) {
  for (const char* target :
       {"/", "/v1/models/a%2Fb", "/a.b/..c/...", "/a?x=//..&y=%2e%2e", "/~u",
        "/a?b?c", "/%E4%BD%A0", "/a:b@c", "/v1/"}) {
    Parse(absl::StrCat("GET ", target, " HTTP/1.1\r\nHost: h\r\n\r\n"));
  }
}

TEST(HttpHeadTest, GoodHosts) {
  for (const char* host :
       {"h", "127.0.0.1", "a.b-c_d:8080", "[::1]", "[fe80::1]:443", "h:0"}) {
    Parse(absl::StrCat("GET / HTTP/1.1\r\nHost: ", host, "\r\n\r\n"));
  }
}

TEST(HttpHeadTest, LimitsAreReachedButNotBroken) {
  const std::string target = "/" + std::string(8192 - 14, 'a');
  Parse(absl::StrCat("GET ", target, " HTTP/1.1\r\nHost: h\r\n\r\n"));
  const std::string line = "X: " + std::string(8192 - 3, 'a');
  Parse(absl::StrCat("GET / HTTP/1.1\r\nHost: h\r\n", line, "\r\n\r\n"));
  std::string many = "GET / HTTP/1.1\r\nHost: h\r\n";
  for (int i = 1; i < 64; ++i) absl::StrAppend(&many, "A", i, ": b\r\n");
  EXPECT_EQ(Parse(many + "\r\n").headers.size(), 64u);
}

// What is wrong with a head, in the order of the parser's rules.
struct BadHead {
  const char* name;
  std::string text;
  int status;
  const char* code;
};

class BadHeadTest : public ::testing::TestWithParam<BadHead> {};

HttpError ErrorOf(const std::string& text) {
  HttpHeadParser parser;
  parser.Feed(text);
  EXPECT_FALSE(parser.Done());
  return parser.Error().value_or(HttpError{0, "no error", ""});
}

TEST_P(BadHeadTest, IsRefused) {
  const HttpError error = ErrorOf(GetParam().text);
  EXPECT_EQ(error.status, GetParam().status);
  EXPECT_EQ(error.code, GetParam().code);
}

TEST_P(BadHeadTest, IsRefusedAtTheSameByteHoweverItIsCut) {
  const std::string& text = GetParam().text;
  HttpHeadParser whole;
  const size_t taken = whole.Feed(text);
  HttpHeadParser bytewise;
  size_t taken_bytewise = 0;
  for (const char byte : text) {
    if (bytewise.Error()) break;
    taken_bytewise += bytewise.Feed(absl::string_view(&byte, 1));
  }
  EXPECT_EQ(taken, taken_bytewise);
  EXPECT_EQ(bytewise.Error()->code, whole.Error()->code);
}

// A POST over HTTP/1.1 with these header lines besides Host.
std::string Post(const std::vector<std::string>& lines) {
  return absl::StrCat("POST /v1 HTTP/1.1\r\nHost: h\r\n",
                      absl::StrJoin(lines, "\r\n"), "\r\n\r\n");
}

std::string Get(absl::string_view target) {
  return absl::StrCat("GET ", target, " HTTP/1.1\r\nHost: h\r\n\r\n");
}

const char kLength[] = "Content-Length: 5";
const char kChunked[] = "Transfer-Encoding: chunked";

std::vector<BadHead> Framings() {
  return {
      {"LengthAndCoding", Post({kLength, kChunked}), 400, "bad_framing"},
      {"CodingAndLength", Post({kChunked, kLength}), 400, "bad_framing"},
      {"TwoLengths", Post({kLength, "Content-Length: 6"}), 400,
       "duplicate_header"},
      {"TwoEqualLengths", Post({kLength, kLength}), 400, "duplicate_header"},
      {"LengthWithPlus", Post({"Content-Length: +5"}), 400,
       "bad_content_length"},
      {"LengthList", Post({"Content-Length: 5, 5"}), 400, "bad_content_length"},
      {"NegativeLength", Post({"Content-Length: -1"}), 400,
       "bad_content_length"},
      {"Length2To64", Post({"Content-Length: 18446744073709551616"}), 400,
       "bad_content_length"},
      {"EmptyLength", Post({"Content-Length:"}), 400, "bad_content_length"},
      {"HexLength", Post({"Content-Length: 0x5"}), 400, "bad_content_length"},
      {"UnknownCoding", Post({"Transfer-Encoding: xchunked"}), 501,
       "not_implemented"},
      {"GzipCoding", Post({"Transfer-Encoding: gzip, chunked"}), 501,
       "not_implemented"},
      {"IdentityLast", Post({"Transfer-Encoding: chunked, identity"}), 400,
       "bad_transfer_encoding"},
      {"ChunkedTwice", Post({"Transfer-Encoding: chunked, chunked"}), 400,
       "bad_transfer_encoding"},
      {"ChunkedInTwoLines", Post({kChunked, kChunked}), 400,
       "bad_transfer_encoding"},
      {"ChunkedOverHttp10",
       "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400,
       "bad_transfer_encoding"},
      {"NoLengthOverHttp10", "POST / HTTP/1.0\r\n\r\n", 411, "length_required"},
      {"UnknownExpectation", Post({kLength, "Expect: miracles"}), 417,
       "bad_expectation"},
      {"CompressedBody", Post({kLength, "Content-Encoding: gzip"}), 415,
       "unsupported_encoding"},
  };
}

std::vector<BadHead> Lines() {
  const std::string start = "GET / HTTP/1.1\r\nHost: h\r\n";
  const std::string nul("X: a\0b", 6);
  return {
      {"BareLf", "GET / HTTP/1.1\nHost: h\n\n", 400, "bad_line_end"},
      {"BareLfInHeaders", start + "A: b\nC: d\r\n\r\n", 400, "bad_line_end"},
      {"CrAlone", start + "A: b\rC: d\r\n\r\n", 400, "bad_line_end"},
      {"NulInHeader", start + nul + "\r\n\r\n", 400, "bad_character"},
      {"DelInHeader", start + "X: \x7f\r\n\r\n", 400, "bad_character"},
      {"EscapeInHeader", start + "X: \x1b[1m\r\n\r\n", 400, "bad_character"},
      {"VerticalTabInCoding", Post({"Transfer-Encoding: \x0b chunked"}), 400,
       "bad_character"},
      {"Folded", start + "A: b\r\n c\r\n\r\n", 400, "bad_header"},
      {"FoldedWithTab", start + "A: b\r\n\tc\r\n\r\n", 400, "bad_header"},
      {"FoldedFirst", "GET / HTTP/1.1\r\n Host: h\r\n\r\n", 400, "bad_header"},
      {"SpaceBeforeColon", start + "A : b\r\n\r\n", 400, "bad_header"},
      {"TabBeforeColon", start + "A\t: b\r\n\r\n", 400, "bad_header"},
      {"EmptyName", start + ": b\r\n\r\n", 400, "bad_header"},
      {"NoColon", start + "Ab\r\n\r\n", 400, "bad_header"},
      {"NameWithAt", start + "A@: b\r\n\r\n", 400, "bad_header"},
      {"NameOfUtf8", start + "\xc3\xa4: b\r\n\r\n", 400, "bad_header"},
      {"TwoAuthorizations",
       start + "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n",
       400, "duplicate_header"},
      {"TwoContentTypes",
       start + "Content-Type: a/b\r\nContent-Type: a/c\r\n\r\n", 400,
       "duplicate_header"},
      {"NoHost", "GET / HTTP/1.1\r\n\r\n", 400, "bad_host"},
      {"TwoHosts", start + "Host: h\r\n\r\n", 400, "bad_host"},
      {"HostWithAt", "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", 400, "bad_host"},
      {"HostWithPath", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, "bad_host"},
      {"EmptyHost", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400, "bad_host"},
      {"HostWithLongPort", "GET / HTTP/1.1\r\nHost: a:123456\r\n\r\n", 400,
       "bad_host"},
      {"HostWithOpenBracket", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400,
       "bad_host"},
  };
}

std::vector<BadHead> RequestLines() {
  return {
      {"Absolute", Get("http://h/v1"), 404, "not_found"},
      {"Asterisk", Get("*"), 404, "not_found"},
      {"NoSlash", Get("v1"), 400, "bad_target"},
      {"TwoSlashes", Get("//v1"), 400, "bad_target"},
      {"TwoSlashesWithin", Get("/v1//models"), 400, "bad_target"},
      {"DotDot", Get("/v1/../x"), 400, "bad_target"},
      {"DotDotAtTheEnd", Get("/v1/.."), 400, "bad_target"},
      {"Dot", Get("/./v1"), 400, "bad_target"},
      {"EncodedNul", Get("/a%00b"), 400, "bad_target"},
      {"EncodedNulInQuery", Get("/a?b=%00"), 400, "bad_target"},
      {"EncodedLineEnd", Get("/a%0d%0ab"), 400, "bad_target"},
      {"EncodedDots", Get("/v1/%2e%2e/x"), 400, "bad_target"},
      {"HalfEncodedDots", Get("/v1/.%2E"), 400, "bad_target"},
      {"BadPercent", Get("/a%zz"), 400, "bad_target"},
      {"CutPercent", Get("/a%2"), 400, "bad_target"},
      {"Fragment", Get("/a#b"), 400, "bad_target"},
      {"Utf8", Get("/\xc3\xa4"), 400, "bad_target"},
      {"Backslash", Get("/a\\b"), 400, "bad_target"},
      {"TwoSpaces", "GET  / HTTP/1.1\r\n", 400, "bad_request_line"},
      {"TrailingSpace", "GET / HTTP/1.1 \r\n", 400, "bad_request_line"},
      {"TabBetween", "GET\t/\tHTTP/1.1\r\n", 400, "bad_request_line"},
      {"TwoEmptyLines", "\r\n\r\nGET / HTTP/1.1\r\n", 400, "bad_request_line"},
      {"Trace", "TRACE / HTTP/1.1\r\n", 405, "method_not_allowed"},
      {"Connect", "CONNECT h:80 HTTP/1.1\r\n", 405, "method_not_allowed"},
      {"UnknownMethod", "FOO / HTTP/1.1\r\n", 501, "not_implemented"},
      {"LowerCaseMethod", "get / HTTP/1.1\r\n", 501, "not_implemented"},
      {"MethodWithBrace", "G{T / HTTP/1.1\r\n", 400, "bad_request_line"},
      {"Http09", "GET /\r\n", 505, "bad_http_version"},
      {"Http99", "GET / HTTP/9.9\r\n", 505, "bad_http_version"},
      {"Http12", "GET / HTTP/1.2\r\n", 505, "bad_http_version"},
      {"Http2Preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505,
       "bad_http_version"},
      {"LowerCaseVersion", "GET / http/1.1\r\n", 400, "bad_request_line"},
      {"LongVersion", "GET / HTTP/1.10\r\n", 400, "bad_request_line"},
  };
}

std::vector<BadHead> Sizes() {
  const std::string start = "GET / HTTP/1.1\r\nHost: h\r\n";
  const std::string line = "X: " + std::string(6000, 'a') + "\r\n";
  std::string many;
  for (int i = 0; i < 10000; ++i) absl::StrAppend(&many, "A", i, ": b\r\n");
  return {
      {"LongRequestLine", "GET /" + std::string(1 << 20, 'a'), 414,
       "uri_too_long"},
      {"LongHeader", start + "X: " + std::string(1 << 20, 'a'), 431,
       "headers_too_large"},
      {"LongHeaders", start + line + line + line + "\r\n", 431,
       "headers_too_large"},
      {"ManyHeaders", start + many, 431, "too_many_headers"},
      {"LongName", start + std::string(1 << 20, 'a'), 431, "headers_too_large"},
      {"LongBearer",
       start + "Authorization: Bearer " + std::string(100000, 'k'), 431,
       "headers_too_large"},
  };
}

std::string NameOf(const ::testing::TestParamInfo<BadHead>& row) {
  return row.param.name;
}

INSTANTIATE_TEST_SUITE_P(Framing, BadHeadTest, ::testing::ValuesIn(Framings()),
                         NameOf);
INSTANTIATE_TEST_SUITE_P(Line, BadHeadTest, ::testing::ValuesIn(Lines()),
                         NameOf);
INSTANTIATE_TEST_SUITE_P(RequestLine, BadHeadTest,
                         ::testing::ValuesIn(RequestLines()), NameOf);
INSTANTIATE_TEST_SUITE_P(Size, BadHeadTest, ::testing::ValuesIn(Sizes()),
                         NameOf);

TEST(HttpHeadTest, AHugeHeaderIsRefusedWithinTheLimit) {
  HttpHeadParser parser;
  const std::string start = "GET / HTTP/1.1\r\n";
  EXPECT_LE(parser.Feed(start + "X: " + std::string(1 << 20, 'a')),
            start.size() + 8193);
}

}  // namespace
}  // namespace mesh::gateway
