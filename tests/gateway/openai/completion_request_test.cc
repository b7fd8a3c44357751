// SPDX-License-Identifier: Apache-2.0
#include "gateway/openai/completion_request.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gateway/api_error.h"

namespace mesh::gateway {
namespace {

std::string With(absl::string_view fields) {
  return absl::StrCat(R"({"model":"m",)", fields, "}");
}

CompletionRequest Parsed(absl::string_view fields) {
  auto request = ParseCompletionRequest(With(fields));
  EXPECT_TRUE(request.ok()) << fields << ": " << request.status();
  return request.ok() ? *std::move(request) : CompletionRequest();
}

TEST(CompletionRequest, PromptsInAllTheirForms) {
  using Ids = std::vector<TokenId>;
  EXPECT_EQ(Parsed(R"("prompt":"Hi")").prompts,
            (std::vector<PromptInput>{"Hi"}));
  EXPECT_EQ(Parsed(R"("prompt":[5,6.0])").prompts,
            (std::vector<PromptInput>{Ids{5, 6}}));
  EXPECT_EQ(Parsed(R"("prompt":["Hi"," "])").prompts,
            (std::vector<PromptInput>{"Hi", " "}));
  EXPECT_EQ(Parsed(R"("prompt":[[5],[6,7]])").prompts,
            (std::vector<PromptInput>{Ids{5}, Ids{6, 7}}));
}

TEST(CompletionRequest, FieldsAndDefaults) {
  CompletionRequest request = Parsed(R"("prompt":"Hi")");
  EXPECT_EQ(request.input.max_tokens, 16U);
  EXPECT_FALSE(request.input.logprobs.has_value());
  EXPECT_FALSE(request.echo);
  request =
      Parsed(R"("prompt":"Hi","max_tokens":3,"logprobs":0,"echo":true,"n":2,)"
             R"("best_of":2,"suffix":"","stop":"x","temperature":0,)"
             R"("cache_salt":"s")");
  EXPECT_EQ(request.input.max_tokens, 3U);
  EXPECT_EQ(request.input.logprobs, 0U);
  EXPECT_TRUE(request.input.prompt_logprobs);
  EXPECT_TRUE(request.echo);
  EXPECT_EQ(request.n, 2);
  EXPECT_EQ(request.input.cache_salt, "s");
}

TEST(CompletionRequest, WhatIsRefused) {
  std::string many = "[\"a\"";
  for (int i = 0; i < 64; ++i) absl::StrAppend(&many, ",\"a\"");
  const struct {
    std::string fields;
    std::string code;
    std::string param;
  } rows[] = {
      {R"("x":1)", "missing_field", "prompt"},
      {R"("prompt":5)", "invalid_type", "prompt"},
      {R"("prompt":"")", "invalid_value", "prompt"},
      {R"("prompt":[])", "invalid_value", "prompt"},
      {R"("prompt":["a",""])", "invalid_value", "prompt[1]"},
      {R"("prompt":["a",5])", "invalid_type", "prompt[1]"},
      {R"("prompt":[5,"a"])", "invalid_type", "prompt[1]"},
      {R"("prompt":[5,-1])", "token_out_of_range", "prompt[1]"},
      {R"("prompt":[2147483648])", "token_out_of_range", "prompt[0]"},
      {R"("prompt":[1.5])", "token_out_of_range", "prompt[0]"},
      {absl::StrCat(R"("prompt":)", many, "]"), "invalid_value", "prompt"},
      {absl::StrCat(R"("n":8,"prompt":)", R"(["a","a","a","a","a","a","a","a",)"
                                          R"("a"])"),
       "invalid_value", "n"},
      {R"("prompt":"a","max_tokens":0)", "invalid_value", "max_tokens"},
      {R"("prompt":"a","logprobs":21)", "invalid_value", "logprobs"},
      {R"("prompt":"a","logprobs":true)", "invalid_type", "logprobs"},
      {R"("prompt":"a","best_of":2)", "unsupported_parameter", "best_of"},
      {R"("prompt":"a","n":2,"best_of":2,"stream":true)",
       "unsupported_parameter", "best_of"},
      {R"("prompt":"a","best_of":9)", "invalid_value", "best_of"},
      {R"("prompt":"a","suffix":"b")", "unsupported_parameter", "suffix"},
      {R"("prompt":"a","stream_options":{})", "invalid_value",
       "stream_options"},
      {R"("prompt":"a","echo":1)", "invalid_type", "echo"},
  };
  for (const auto& row : rows) {
    const auto request = ParseCompletionRequest(With(row.fields));
    ASSERT_FALSE(request.ok()) << row.fields;
    const ApiErrorDetails details = DetailsOf(request.status());
    EXPECT_EQ(details.code, row.code) << row.fields << request.status();
    EXPECT_EQ(details.param, row.param) << row.fields << request.status();
  }
}

}  // namespace
}  // namespace mesh::gateway
