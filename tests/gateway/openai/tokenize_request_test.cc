// SPDX-License-Identifier: Apache-2.0
#include "gateway/openai/tokenize_request.h"

#include <gtest/gtest.h>

#include "gateway/api_error.h"

namespace mesh::gateway {
namespace {

TEST(TokenizeRequest, TextOrConversation) {
  auto request = ParseTokenizeRequest(
      R"({"model":"m","prompt":"","add_special_tokens":false})");
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->model, "m");
  EXPECT_EQ(request->text, "");
  EXPECT_FALSE(request->add_special_tokens);
  request = ParseTokenizeRequest(
      R"({"messages":[{"role":"user","content":"Hi"}],)"
      R"("add_generation_prompt":false,"enable_thinking":false})");
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_FALSE(request->text.has_value());
  EXPECT_EQ(request->messages.size(), 1U);
  EXPECT_FALSE(request->add_generation_prompt);
  EXPECT_EQ(request->thinking, false);
}

TEST(TokenizeRequest, WhatIsRefused) {
  EXPECT_EQ(DetailsOf(ParseTokenizeRequest("{}").status()).code,
            "missing_field");
  EXPECT_EQ(DetailsOf(ParseTokenizeRequest(R"({"prompt":5})").status()).code,
            "invalid_type");
  EXPECT_EQ(DetailsOf(ParseTokenizeRequest(R"({"messages":[]})").status()).code,
            "invalid_value");
}

TEST(DetokenizeRequest, Ids) {
  const auto request = ParseDetokenizeRequest(R"({"tokens":[5,6]})");
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->tokens, (std::vector<TokenId>{5, 6}));
  EXPECT_EQ(DetailsOf(ParseDetokenizeRequest("{}").status()).param, "tokens");
  EXPECT_EQ(
      DetailsOf(ParseDetokenizeRequest(R"({"tokens":[5,-1]})").status()).param,
      "tokens[1]");
}

}  // namespace
}  // namespace mesh::gateway
