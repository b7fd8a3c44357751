// SPDX-License-Identifier: Apache-2.0
#include "gateway/http/http_body.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace mesh::gateway {
namespace {

HttpHead ChunkedHead() {
  HttpHead head;
  head.framing = HttpHead::Framing::kChunked;
  return head;
}

HttpHead LengthHead(uint64_t length) {
  HttpHead head;
  head.framing = HttpHead::Framing::kLength;
  head.content_length = length;
  return head;
}

std::string Read(const HttpHead& head, absl::string_view bytes,
                 size_t rest = 0) {
  HttpBodyParser parser(head);
  EXPECT_EQ(parser.Feed(bytes), bytes.size() - rest);
  EXPECT_TRUE(parser.Done());
  return parser.Take();
}

std::string CodeOf(const HttpHead& head, absl::string_view bytes) {
  HttpBodyParser parser(head);
  if (!parser.Error()) parser.Feed(bytes);
  EXPECT_FALSE(parser.Done());
  return parser.Error() ? std::string(parser.Error()->code) : "none";
}

TEST(HttpBodyTest, OfALength) {
  EXPECT_EQ(Read(LengthHead(3), "abcGET", 3), "abc");
  EXPECT_EQ(Read(LengthHead(0), "GET", 3), "");
}

TEST(HttpBodyTest, WithoutOneIsEmpty) {
  EXPECT_EQ(Read(HttpHead{}, "GET", 3), "");
}

TEST(HttpBodyTest, InChunks) {
  EXPECT_EQ(
      Read(ChunkedHead(), "3\r\nabc\r\n00A\r\n0123456789\r\n0\r\n\r\nG", 1),
      "abc0123456789");
}

TEST(HttpBodyTest, ExtensionsAndTrailersAreReadOver) {
  EXPECT_EQ(
      Read(ChunkedHead(), "3;a=b;c=\"d\"\r\nabc\r\n0\r\nX: y\r\nZ: 1\r\n\r\n"),
      "abc");
}

TEST(HttpBodyTest, BadChunks) {
  for (const char* bytes :
       {"FFFFFFFFFFFFFFFF\r\n", "-1\r\n", " 5\r\n", "0x5\r\n", "\r\n", ";a\r\n",
        "5 \r\n", "5\n", "5\rx", "g\r\n", "1\r\nabc\r\n", "1\r\na\n",
        "1\r\na\rb", "000000001\r\n", "5;a\nb\r\n"}) {
    EXPECT_EQ(CodeOf(ChunkedHead(), bytes), "bad_chunk") << bytes;
  }
}

TEST(HttpBodyTest, ALongExtension) {
  const std::string bytes =
      absl::StrCat("5;", std::string(64 << 10, 'a'), "\r\n");
  EXPECT_EQ(CodeOf(ChunkedHead(), bytes), "bad_chunk");
}

TEST(HttpBodyTest, BadTrailers) {
  EXPECT_EQ(CodeOf(ChunkedHead(), "0\r\nX: y\n\r\n"), "bad_trailer");
  EXPECT_EQ(CodeOf(ChunkedHead(), "0\r\n" + std::string(5000, 'a')),
            "bad_trailer");
}

TEST(HttpBodyTest, TooLarge) {
  EXPECT_EQ(CodeOf(LengthHead((4 << 20) + 1), ""), "request_too_large");
  EXPECT_EQ(CodeOf(ChunkedHead(), "400001\r\n"), "request_too_large");
  const std::string chunk =
      absl::StrCat("300000\r\n", std::string(0x300000, 'a'), "\r\n");
  EXPECT_EQ(CodeOf(ChunkedHead(), chunk + chunk), "request_too_large");
}

TEST(HttpBodyTest, TheLargest) {
  const std::string bytes(4 << 20, 'a');
  EXPECT_EQ(Read(LengthHead(bytes.size()), bytes), bytes);
  EXPECT_EQ(
      Read(ChunkedHead(), absl::StrCat("400000\r\n", bytes, "\r\n0\r\n\r\n")),
      bytes);
}

TEST(HttpBodyTest, ManySmallChunks) {
  std::string small;
  for (int i = 0; i < 64; ++i) absl::StrAppend(&small, "1\r\na\r\n");
  EXPECT_EQ(Read(ChunkedHead(), small + "0\r\n\r\n").size(), 64u);
  EXPECT_EQ(CodeOf(ChunkedHead(), small + "1\r\na\r\n"), "too_many_chunks");
}

TEST(HttpBodyTest, ManyChunks) {
  const std::string chunk =
      absl::StrCat("40\r\n", std::string(64, 'a'), "\r\n");
  std::string bytes;
  for (int i = 0; i < 4096; ++i) bytes += chunk;
  EXPECT_EQ(Read(ChunkedHead(), bytes + "0\r\n\r\n").size(), 4096u * 64);
  EXPECT_EQ(CodeOf(ChunkedHead(), bytes + chunk), "too_many_chunks");
}

}  // namespace
}  // namespace mesh::gateway
