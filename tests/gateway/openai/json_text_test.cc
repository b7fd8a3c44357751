// SPDX-License-Identifier: Apache-2.0
#include "gateway/openai/json_text.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "core/json.h"
#include "tests/gateway/openai/slow_answer.h"

namespace mesh::gateway {
namespace {

std::string StringOf(absl::string_view text) {
  std::string out;
  AppendJsonString(text, &out);
  return out;
}

std::string NumberOf(float number) {
  std::string out;
  AppendJsonNumber(number, &out);
  return out;
}

TEST(JsonText, EscapesWhatMustBe) {
  EXPECT_EQ(StringOf("a\"\\/\b\n\r\t\x01\x7f é😀"),
            "\"a\\\"\\\\/\\u0008\\n\\r\\t\\u0001\x7f é😀\"");
  EXPECT_EQ(StringOf(absl::string_view("\0", 1)), "\"\\u0000\"");
  EXPECT_EQ(StringOf(""), "\"\"");
  EXPECT_EQ(StringOf("\xff"
                     "a\xc3"),
            "\"\xEF\xBF\xBD"
            "a\xEF\xBF\xBD\"");
}

TEST(JsonText, EveryTextReadsBack) {
  std::mt19937 random(1);
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (size_t i = random() % 12; i > 0; --i) {
      text.push_back(static_cast<char>(random() % 4 == 0 ? random() % 256
                                                         : random() % 64));
    }
    const auto json = ParseJson(StringOf(text), "text");
    ASSERT_TRUE(json.ok()) << json.status();
    EXPECT_EQ(json->get<std::string>(), SlowText(text));
  }
}

TEST(JsonText, NumbersReadBack) {
  EXPECT_EQ(NumberOf(-0.25F), "-0.25");
  EXPECT_EQ(NumberOf(-std::numeric_limits<float>::infinity()), "-9999");
  EXPECT_EQ(NumberOf(std::nanf("")), "-9999");
  for (const float number : {0.0F, -1e-30F, 3.4e38F, -12.345678F}) {
    const auto json = ParseJson(NumberOf(number), "number");
    ASSERT_TRUE(json.ok()) << json.status();
    EXPECT_EQ(json->get<float>(), number);
  }
}

}  // namespace
}  // namespace mesh::gateway
