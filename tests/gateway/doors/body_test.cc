// SPDX-License-Identifier: Apache-2.0
// Bodies that are no JSON in UTF-8, or more of it than anybody needs.
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/gateway/doors/doors_fixture.h"
#include "tests/support/sanitized.h"

namespace mesh::gateway {
namespace {

constexpr char kChat[] = "/v1/chat/completions";

using BodyTest = DoorsTest;

std::string ChatWith(absl::string_view headers) {
  return PostText(kChat, Chat(R"("max_tokens":3)"), headers);
}

// An object of so many keys, all different or all the same.
std::string Keys(int count, bool same) {
  std::string keys;
  for (int i = 0; i < count; ++i) {
    absl::StrAppend(&keys, i == 0 ? "" : ",", "\"k", same ? 0 : i, "\":0");
  }
  return absl::StrCat("{", keys, "}");
}

TEST_F(BodyTest, KindsOfBody) {
  StartDoors();
  const std::string large =
      Chat(absl::StrCat(R"("user":")", std::string(10 << 20, 'x'), "\""));
  CheckAll<RequestRow>({
      {"Text", ChatWith("Content-Type: text/plain\r\n"), 415,
       "unsupported_media_type"},
      {"Nothing", ChatWith("Content-Type:\r\n"), 415, "unsupported_media_type"},
      {"Utf16", ChatWith("Content-Type: application/json; charset=utf-16\r\n"),
       415, "unsupported_media_type"},
      {"Form", ChatWith("Content-Type: application/x-www-form-urlencoded\r\n"),
       415, "unsupported_media_type"},
      {"Utf8", ChatWith("Content-Type: application/json; charset=UTF-8\r\n")},
      {"Gzip", ChatWith("Content-Encoding: gzip\r\n"), 415,
       "unsupported_encoding"},
      {"TenMegabytes", PostText(kChat, large), 413, "request_too_large", "",
       "Connection: close"},
      // Only the length is there, and it is not waited for.
      {"TenMegabytesToCome",
       absl::StrCat("POST ", kChat,
                    " HTTP/1.1\r\nHost: gateway\r\n"
                    "Content-Type: application/json\r\nExpect: 100-continue\r\n"
                    "Content-Length: 10485760\r\n\r\n"),
       413, "request_too_large", "", "Connection: close"},
      {"ChunksOfABillionBytes",
       absl::StrCat("POST ", kChat,
                    " HTTP/1.1\r\nHost: gateway\r\n"
                    "Content-Type: application/json\r\n"
                    "Transfer-Encoding: chunked\r\n\r\n3B9ACA00\r\n"),
       413, "request_too_large", "", "Connection: close"},
      {"WrongMethod", "GET /v1/chat/completions HTTP/1.1\r\nHost: g\r\n\r\n",
       405, "method_not_allowed", "", "Allow: POST"},
      {"UnknownRoute", PostText("/v1/embeddings", "{}"), 404, "unknown_route"},
  });
}

TEST_F(BodyTest, NotAnObject) {
  StartDoors();
  CheckAll<BodyRow>({
      {"Empty", kChat, "", 400, "invalid_json"},
      {"Space", kChat, "  \n", 400, "invalid_json"},
      {"Null", kChat, "null", 400, "invalid_json"},
      {"Array", kChat, "[]", 400, "invalid_json"},
      {"Text", kChat, R"("x")", 400, "invalid_json"},
      {"Number", kChat, "5", 400, "invalid_json"},
      {"EmptyObject", kChat, "{}", 400, "missing_field", "model"},
      {"Truncated", kChat, R"({"model":"tiny-r1","messages":[{"role")", 400,
       "invalid_json"},
      {"TrailingComma", kChat, R"({"model":"tiny-r1",})", 400, "invalid_json"},
      {"Comment", kChat, R"({"model":"tiny-r1"/*x*/})", 400, "invalid_json"},
      {"NotANumber", kChat, Chat(R"("temperature":NaN)"), 400, "invalid_json"},
      {"Infinity", kChat, Chat(R"("top_p":-Infinity)"), 400, "invalid_json"},
      {"SingleQuotes", kChat, "{'model':'tiny-r1'}", 400, "invalid_json"},
      {"BytesAfterTheObject", kChat, Chat(R"("max_tokens":3)") + "x", 400,
       "invalid_json"},
      {"ObjectAfterTheObject", kChat, Chat(R"("max_tokens":3)") + "{}", 400,
       "invalid_json"},
      {"SpaceAfterTheObject", kChat, Chat(R"("max_tokens":3)") + "\r\n"},
      {"HexNumber", kChat, Chat(R"("max_tokens":0x10)"), 400, "invalid_json"},
      {"LeadingZero", kChat, Chat(R"("max_tokens":010)"), 400, "invalid_json"},
      {"PlusSign", kChat, Chat(R"("max_tokens":+5)"), 400, "invalid_json"},
      {"LineEndInAText", kChat, Chat("\"user\":\"a\nb\""), 400, "invalid_json"},
  });
}

TEST_F(BodyTest, ErrorsOfJsonNameTheByte) {
  StartDoors();
  const HttpReply reply = SendHttp(PostText(kChat, R"({"model":"x",})"));
  EXPECT_TRUE(absl::StrContains(reply.body, "at byte 13")) << reply.body;
  ExpectUnharmed();
}

TEST_F(BodyTest, TooMuchOfIt) {
  StartDoors();
  const std::string digits(400, '9');
  CheckAll<BodyRow>({
      {"Deep", kChat, std::string(100'000, '['), 400, "too_deep"},
      {"DeepObjects", kChat, Repeated(100'000, R"({"a":)"), 400, "too_deep"},
      {"DeepInAField", kChat, Chat("\"x\":" + std::string(40, '[')), 400,
       "too_deep"},
      {"HundredThousandKeys", kChat, Keys(100'000, false), 400,
       "too_many_keys"},
      {"EqualKeys", kChat, Keys(100'000, true), 400, "duplicate_key"},
      {"TwoModels", kChat, Chat(R"("model":"tiny-r1")"), 400, "duplicate_key"},
      {"TwoModelsSpeltDifferently", kChat, Chat(R"("mod\u0065l":"tiny-r1")"),
       400, "duplicate_key"},
      {"NumberBeyondDouble", kChat, Chat(R"("temperature":1e999999)"), 400,
       "number_out_of_range"},
      {"NumberOf400Digits", kChat, Chat("\"seed\":" + digits), 400,
       "number_out_of_range"},
      {"MinusZero", kChat, Chat(R"("temperature":-0,"max_tokens":3)")},
      {"TextOfThreeMegabytes", kChat,
       Chat(absl::StrCat("\"user\":\"", std::string(3 << 20, 'x'), "\"")), 400,
       "string_too_long"},
      // Fields that nobody knows are ignored.
      {"UnknownField", kChat, Chat(R"("x":{"y":[1]},"max_tokens":3)")},
  });
}

TEST_F(BodyTest, NotUtf8) {
  StartDoors();
  const auto user = [](absl::string_view text) {
    return Chat(absl::StrCat("\"max_tokens\":3,\"user\":\"", text, "\""));
  };
  CheckAll<BodyRow>({
      {"LoneHighSurrogate", kChat, user(R"(\ud800)"), 400, "invalid_utf8"},
      {"LoneLowSurrogate", kChat, user(R"(\udc00x)"), 400, "invalid_utf8"},
      {"Pair", kChat, user(R"(\ud83d\ude00)")},
      {"Overlong", kChat, user("\xc0\xaf"), 400, "invalid_utf8"},
      {"Surrogate", kChat, user("\xed\xa0\x80"), 400, "invalid_utf8"},
      {"BeyondUnicode", kChat, user("\xf4\x90\x80\x80"), 400, "invalid_utf8"},
      {"CutOff", kChat, user("\xe2\x82"), 400, "invalid_utf8"},
      {"InAKey", kChat, Chat("\"\xff\":1"), 400, "invalid_utf8"},
      {"ByteOrderMark", kChat, "\xef\xbb\xbf" + Chat(R"("max_tokens":3)")},
      {"Utf16", kChat, std::string("{\0\"\0", 4), 400, "invalid_json"},
  });
}

// Keys that are alike take no longer than others.
TEST_F(BodyTest, ManyKeysTakeLinearTime) {
  StartDoors();
  std::string metadata;
  for (int i = 0; i < 300; ++i) {
    absl::StrAppend(&metadata, ",\"", std::string(4000, 'k'), i, "\":1");
  }
  const absl::Time start = absl::Now();
  ExpectReply(SendHttp(PostText(kChat, Chat(R"("max_tokens":3)" + metadata))),
              200, "", "");
  EXPECT_LT(absl::Now() - start,
            kSanitized ? absl::Seconds(30) : absl::Seconds(5));
  ExpectUnharmed();
}

}  // namespace
}  // namespace mesh::gateway
