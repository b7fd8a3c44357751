// SPDX-License-Identifier: Apache-2.0
#include "gateway/http/answer_framer.h"

#include <gtest/gtest.h>

#include <string>

namespace mesh::gateway {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(784111777);

HttpHead HeadOf(const std::string& method, bool is_http_1_0 = false) {
  HttpHead head;
  head.method = method;
  head.is_http_1_0 = is_http_1_0;
  head.keep_alive = !is_http_1_0;
  return head;
}

TEST(AnswerFramerTest, Whole) {
  AnswerFramer framer(HeadOf("POST"));
  EXPECT_EQ(framer.Whole({200, {{"X-A", "b"}}, "body"}, kNow),
            "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
            "X-A: b\r\nContent-Length: 4\r\n\r\nbody");
  EXPECT_TRUE(framer.KeepsConnection());
}

TEST(AnswerFramerTest, ConnectionIsSaid) {
  AnswerFramer framer(HeadOf("POST"));
  framer.ForbidKeepAlive();
  EXPECT_NE(framer.Whole({}, kNow).find("Connection: close\r\n"),
            std::string::npos);
  HttpHead old = HeadOf("GET", true);
  old.keep_alive = true;
  EXPECT_NE(
      AnswerFramer(old).Whole({}, kNow).find("Connection: keep-alive\r\n"),
      std::string::npos);
}

TEST(AnswerFramerTest, HeadHasTheLengthAndNoBody) {
  const std::string bytes =
      AnswerFramer(HeadOf("HEAD")).Whole({200, {}, "body"}, kNow);
  EXPECT_TRUE(bytes.ends_with("Content-Length: 4\r\n\r\n")) << bytes;
}

TEST(AnswerFramerTest, NoContentHasNoLength) {
  const std::string bytes =
      AnswerFramer(HeadOf("POST")).Whole({204, {}, ""}, kNow);
  EXPECT_EQ(bytes.find("Content-Length"), std::string::npos) << bytes;
}

TEST(AnswerFramerTest, HeadersCannotBreakOut) {
  const HttpHeaders headers = {{"A", "b\r\nC: d"},
                               {"E\r\nF", "g"},
                               {"Content-Length", "9"},
                               {"connection", "close"},
                               {"Fine", "yes"}};
  EXPECT_EQ(AnswerFramer(HeadOf("POST")).Whole({200, headers, ""}, kNow),
            "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
            "Fine: yes\r\nContent-Length: 0\r\n\r\n");
}

TEST(AnswerFramerTest, AStreamInChunks) {
  AnswerFramer framer(HeadOf("POST"));
  EXPECT_TRUE(framer.StreamHead(200, {}, kNow)
                  .ends_with("Transfer-Encoding: chunked\r\n\r\n"));
  EXPECT_EQ(framer.Piece(std::string(26, 'a')),
            "1a\r\n" + std::string(26, 'a') + "\r\n");
  EXPECT_EQ(framer.Piece(""), "");
  EXPECT_EQ(framer.StreamEnd(), "0\r\n\r\n");
  EXPECT_TRUE(framer.KeepsConnection());
}

TEST(AnswerFramerTest, AStreamOfHttp10EndsWithTheConnection) {
  HttpHead head = HeadOf("POST", true);
  head.keep_alive = true;
  AnswerFramer framer(head);
  const std::string bytes = framer.StreamHead(200, {}, kNow);
  EXPECT_NE(bytes.find("Connection: close\r\n"), std::string::npos);
  EXPECT_EQ(bytes.find("Transfer-Encoding"), std::string::npos);
  EXPECT_EQ(framer.Piece("abc"), "abc");
  EXPECT_EQ(framer.StreamEnd(), "");
  EXPECT_FALSE(framer.KeepsConnection());
}

TEST(AnswerFramerTest, AStreamForHeadHasNoPieces) {
  AnswerFramer framer(HeadOf("HEAD"));
  framer.StreamHead(200, {}, kNow);
  EXPECT_EQ(framer.Piece("abc"), "");
  EXPECT_EQ(framer.StreamEnd(), "");
}

}  // namespace
}  // namespace mesh::gateway
