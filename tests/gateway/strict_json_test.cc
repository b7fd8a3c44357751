// SPDX-License-Identifier: Apache-2.0
#include "gateway/strict_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gateway/api_error.h"

namespace mesh::gateway {
namespace {

std::string CodeOf(absl::string_view text) {
  const auto json = ParseStrictJson(text);
  return json.ok() ? "ok" : DetailsOf(json.status()).code;
}

std::string Repeated(absl::string_view text, int count) {
  std::string result;
  for (int i = 0; i < count; ++i) absl::StrAppend(&result, text);
  return result;
}

TEST(StrictJson, ReadsWhatJsonIs) {
  const auto json = ParseStrictJson(
      "\xEF\xBB\xBF {\"a\": [1, -2, 3.5, 1e3, true, false, null],\n\t"
      "\"b\": \"\\u00e9\\ud83d\\ude00\\n\\\"\\/\", \"\": {}} ");
  ASSERT_TRUE(json.ok()) << json.status();
  EXPECT_EQ(*json, (Json{{"a", {1, -2, 3.5, 1000.0, true, false, nullptr}},
                         {"b", "é😀\n\"/"},
                         {"", Json::object()}}));
  EXPECT_TRUE((*json)["a"][0].is_number_unsigned());
  EXPECT_TRUE((*json)["a"][1].is_number_integer());
  EXPECT_TRUE((*json)["a"][3].is_number_float());
}

TEST(StrictJson, RefusesWhatJsonIsNot) {
  for (const char* text :
       {"",           "  ",        "{",     "[1,",     "[1 2]",       "[1,]",
        "{\"a\":1,}", "{\"a\" 1}", "{a:1}", "{'a':1}", "// x\n1",     "NaN",
        "Infinity",   "-",         "+1",    "01",      "1.",          ".5",
        "1e",         "1e+",       "\"a",   "\"\\x\"", "\"\\u12g4\"", "\"\n\"",
        "tru",        "nulll",     "1 1",   "{} {}",   "\"\\",        "[1]]",
        "{1:2}"}) {
    EXPECT_EQ(CodeOf(text), "invalid_json") << text;
  }
}

TEST(StrictJson, ErrorsHaveTheOffset) {
  EXPECT_EQ(ParseStrictJson("{\"a\": 1, \"b\": x}").status().message(),
            "the JSON text at byte 14 is not right, expected a value");
  EXPECT_EQ(ParseStrictJson("{\"a\": [1, 2").status().message(),
            "the JSON text at byte 11 ends, expected ',' or ']'");
}

TEST(StrictJson, DepthIsLimited) {
  const std::string open32 = Repeated("[", 32);
  EXPECT_EQ(CodeOf(absl::StrCat(open32, Repeated("]", 32))), "ok");
  EXPECT_EQ(CodeOf(absl::StrCat(open32, "[", Repeated("]", 33))), "too_deep");
  EXPECT_EQ(CodeOf(Repeated("[", 100000)), "too_deep");
  EXPECT_EQ(CodeOf(Repeated("{\"a\":", 100000)), "too_deep");
  EXPECT_EQ(CodeOf(Repeated("[[],", 31)), "invalid_json");
}

TEST(StrictJson, KeysAreLimitedAndUnique) {
  std::string object = "{";
  for (int i = 0; i < 256; ++i) {
    absl::StrAppend(&object, i == 0 ? "" : ",", "\"", i, "\":", i);
  }
  EXPECT_EQ(CodeOf(object + "}"), "ok");
  EXPECT_EQ(CodeOf(object + ",\"more\":1}"), "too_many_keys");
  EXPECT_EQ(CodeOf(R"({"model":"a","model":"b"})"), "duplicate_key");
  EXPECT_EQ(CodeOf(R"({"a":1,"\u0061":2})"), "duplicate_key");
  EXPECT_EQ(CodeOf(R"([{"a":1},{"a":1}])"), "ok");
  EXPECT_EQ(CodeOf(absl::StrCat("{", Repeated("\"k\":0,", 100000))),
            "duplicate_key");
}

TEST(StrictJson, StringsMustBeUtf8) {
  for (const char* text :
       {"\"\xff\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"", "\"\xf5\x80\x80\x80\"",
        "\"\xc3\"", "\"\\ud800\"", "\"\\udc00\"", "\"\\ud800\\ud800\"",
        "\"\\ud800x\"", "{\"\xff\":1}"}) {
    EXPECT_EQ(CodeOf(text), "invalid_utf8") << text;
  }
  EXPECT_EQ(CodeOf("\"\\u0000\""), "ok");
}

TEST(StrictJson, StringsAndNumbersAreLimited) {
  const std::string longest(size_t{2} << 20, 'a');
  EXPECT_EQ(CodeOf(absl::StrCat("\"", longest, "\"")), "ok");
  EXPECT_EQ(CodeOf(absl::StrCat("\"", longest, "a\"")), "string_too_long");
  EXPECT_EQ(CodeOf(absl::StrCat("\"", Repeated("\\n", (2 << 20) + 1), "\"")),
            "string_too_long");
  EXPECT_EQ(CodeOf("1e999999"), "number_out_of_range");
  EXPECT_EQ(CodeOf("-1e999"), "number_out_of_range");
  EXPECT_EQ(CodeOf(std::string(33, '1')), "number_out_of_range");
  EXPECT_EQ(CodeOf(std::string(400, '9')), "number_out_of_range");
  EXPECT_EQ(CodeOf(std::string(32, '1')), "ok");
  EXPECT_EQ(*ParseStrictJson("-0"), Json(0));
  EXPECT_EQ(*ParseStrictJson("1e-999"), Json(0.0));
  EXPECT_EQ(ParseStrictJson("18446744073709551615")->get<uint64_t>(),
            18446744073709551615U);
  EXPECT_TRUE(ParseStrictJson("18446744073709551616")->is_number_float());
  EXPECT_EQ(ParseStrictJson("-9223372036854775808")->get<int64_t>(),
            std::numeric_limits<int64_t>::min());
}

// The same text with sixteen times the objects takes about as much longer; a
// quadratic reader would take far more.
TEST(StrictJson, TimeIsLinearWhateverTheKeys) {
  std::string object = "{";
  for (int i = 0; i < 256; ++i) {
    absl::StrAppend(&object, i == 0 ? "" : ",", "\"k", i, "\":0");
  }
  absl::StrAppend(&object, "}");
  const auto time_for = [&](int count) {
    std::string text = "[";
    for (int i = 0; i < count; ++i) {
      absl::StrAppend(&text, i == 0 ? "" : ",", object);
    }
    absl::StrAppend(&text, "]");
    const absl::Time begin = absl::Now();
    EXPECT_EQ(CodeOf(text), "ok");
    return absl::Now() - begin;
  };
  time_for(50);
  EXPECT_LT(time_for(1600), absl::Milliseconds(100) + 60 * time_for(100));
}

}  // namespace
}  // namespace mesh::gateway
