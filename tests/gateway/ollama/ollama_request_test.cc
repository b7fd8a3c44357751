// SPDX-License-Identifier: Apache-2.0
#include "gateway/ollama/ollama_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gateway/api_error.h"
#include "gateway/ollama/ollama_fields.h"

namespace mesh::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

OllamaRequest Chat(const std::string& fields) {
  const auto request =
      ParseOllamaChat(absl::StrCat(R"({"model": "m", )", fields, "}"));
  EXPECT_TRUE(request.ok()) << fields << ": " << request.status();
  return request.value_or(OllamaRequest());
}

OllamaRequest Generate(const std::string& fields) {
  const auto request =
      ParseOllamaGenerate(absl::StrCat(R"({"model": "m", )", fields, "}"));
  EXPECT_TRUE(request.ok()) << fields << ": " << request.status();
  return request.value_or(OllamaRequest());
}

TEST(OllamaChatRequest, DefaultsAreTheModels) {
  const OllamaRequest request =
      Chat(R"("messages": [{"role": "user", "content": "hi"}])");
  EXPECT_EQ(request.route, OllamaRoute::kChat);
  EXPECT_EQ(request.input.model, "m");
  EXPECT_TRUE(request.stream);
  EXPECT_FALSE(request.only_loads);
  EXPECT_FALSE(request.hides_thinking);
  EXPECT_EQ(request.input.sampling.temperature, std::nullopt);
  EXPECT_EQ(request.input.sampling.seed, std::nullopt);
  EXPECT_EQ(request.input.max_tokens, 0u);
  EXPECT_EQ(request.input.thinking, std::nullopt);
  EXPECT_EQ(request.input.logprobs, std::nullopt);
  const auto& messages = std::get<Messages>(request.input.prompt);
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].role, "user");
  EXPECT_EQ(messages[0].content, "hi");
}

TEST(OllamaChatRequest, TakesEveryField) {
  const OllamaRequest request = Chat(R"(
      "messages": [{"role": "system", "content": "s"},
                   {"role": "user", "content": "q", "images": []},
                   {"role": "assistant", "content": "a", "thinking": "t",
                    "tool_calls": []},
                   {"role": "user", "content": "r"}],
      "stream": false, "think": "high", "logprobs": true, "top_logprobs": 3,
      "keep_alive": "5m", "format": "", "tools": [],
      "options": {"seed": 7, "temperature": 0.5, "top_k": 9, "top_p": 0.25,
                  "min_p": 0.125, "stop": ["a", "b"], "num_ctx": 4096,
                  "num_predict": 12, "repeat_penalty": 1.5,
                  "presence_penalty": -1, "frequency_penalty": 2,
                  "num_gpu": 1, "mirostat": 0, "unheard_of": "x"},
      "truncate": true, "unheard_of": [1])");
  EXPECT_FALSE(request.stream);
  const GenerateInput& input = request.input;
  EXPECT_EQ(input.thinking, true);
  EXPECT_EQ(input.logprobs, 3u);
  EXPECT_EQ(input.sampling.seed, 7u);
  EXPECT_EQ(input.sampling.temperature, 0.5F);
  EXPECT_EQ(input.sampling.top_k, 9);
  EXPECT_EQ(input.sampling.top_p, 0.25F);
  EXPECT_EQ(input.sampling.min_p, 0.125F);
  EXPECT_EQ(input.sampling.repetition_penalty, 1.5F);
  EXPECT_EQ(input.sampling.presence_penalty, -1.0F);
  EXPECT_EQ(input.sampling.frequency_penalty, 2.0F);
  EXPECT_THAT(input.stops, ElementsAre("a", "b"));
  EXPECT_EQ(input.max_tokens, 12u);
  const auto& messages = std::get<Messages>(input.prompt);
  ASSERT_EQ(messages.size(), 4u);
  EXPECT_EQ(messages[2].reasoning, "t");
}

TEST(OllamaChatRequest, WordsForNothing) {
  const OllamaRequest request = Chat(
      R"("messages": [{"role": "user", "content": "q"}], "think": null,
         "options": {"seed": -1, "num_predict": -1, "top_k": -1,
                     "stop": "x", "temperature": null}, "logprobs": false,
         "top_logprobs": 0, "format": null, "keep_alive": -1)");
  EXPECT_EQ(request.input.sampling.seed, std::nullopt);
  EXPECT_EQ(request.input.max_tokens, 0u);
  EXPECT_EQ(request.input.sampling.top_k, 0);
  EXPECT_THAT(request.input.stops, ElementsAre("x"));
  EXPECT_EQ(request.input.sampling.temperature, std::nullopt);
  EXPECT_EQ(request.input.logprobs, std::nullopt);
}

TEST(OllamaChatRequest, ThinkFalseHidesToo) {
  const OllamaRequest request =
      Chat(R"("messages": [{"role": "user", "content": "q"}], "think": false)");
  EXPECT_EQ(request.input.thinking, false);
  EXPECT_TRUE(request.hides_thinking);
}

TEST(OllamaChatRequest, WithoutMessagesItOnlyLoads) {
  EXPECT_TRUE(Chat(R"("messages": [])").only_loads);
  const OllamaRequest request = Chat(R"("keep_alive": 0)");
  EXPECT_TRUE(request.only_loads);
  EXPECT_TRUE(request.unloads);
  EXPECT_FALSE(Chat(R"("keep_alive": "10m")").unloads);
}

TEST(OllamaGenerateRequest, IsAConversationOfOneQuestion) {
  const OllamaRequest request = Generate(R"("prompt": "q", "system": "s")");
  EXPECT_EQ(request.route, OllamaRoute::kGenerate);
  const auto& messages = std::get<Messages>(request.input.prompt);
  ASSERT_EQ(messages.size(), 2u);
  EXPECT_EQ(messages[0].role, "system");
  EXPECT_EQ(messages[0].content, "s");
  EXPECT_EQ(messages[1].role, "user");
  EXPECT_EQ(messages[1].content, "q");
}

TEST(OllamaGenerateRequest, RawIsTextAsItStands) {
  const OllamaRequest request = Generate(R"("prompt": "once", "raw": true)");
  EXPECT_EQ(std::get<std::string>(request.input.prompt), "once");
}

TEST(OllamaGenerateRequest, AnEmptyPromptOnlyLoads) {
  EXPECT_TRUE(Generate(R"("prompt": "")").only_loads);
  EXPECT_TRUE(Generate(R"("keep_alive": 0)").unloads);
  EXPECT_TRUE(Generate(R"("raw": true)").only_loads);
}

TEST(OllamaShowRequest, HasTwoNamesForTheName) {
  EXPECT_EQ(*ParseOllamaShow(R"({"model": "m", "verbose": true})"), "m");
  EXPECT_EQ(*ParseOllamaShow(R"({"name": "m"})"), "m");
  EXPECT_EQ(DetailsOf(ParseOllamaShow("{}").status()).code, "missing_field");
}

struct Refusal {
  const char* fields;
  const char* param;
  const char* code;
};

void ExpectRefused(const Refusal& test, const absl::Status& status) {
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << test.fields;
  EXPECT_EQ(DetailsOf(status).param, test.param) << test.fields;
  EXPECT_EQ(DetailsOf(status).code, test.code) << test.fields;
  EXPECT_FALSE(status.message().empty());
}

TEST(OllamaRequest, RefusesOnBothRoutes) {
  const Refusal kCases[] = {
      {R"("stream": 1)", "stream", "invalid_type"},
      {R"("think": "deep")", "think", "invalid_value"},
      {R"("think": 1)", "think", "invalid_type"},
      {R"("keep_alive": [])", "keep_alive", "invalid_type"},
      {R"("logprobs": 1)", "logprobs", "invalid_type"},
      {R"("top_logprobs": 1)", "top_logprobs", "invalid_value"},
      {R"("logprobs": true, "top_logprobs": 21)", "top_logprobs",
       "invalid_value"},
      {R"("format": "json")", "format", "unsupported_parameter"},
      {R"("format": {"type": "object"})", "format", "unsupported_parameter"},
      {R"("tools": [{}])", "tools", "unsupported_parameter"},
      {R"("suffix": "x")", "suffix", "unsupported_parameter"},
      {R"("template": "x")", "template", "unsupported_parameter"},
      {R"("context": [1])", "context", "unsupported_parameter"},
      {R"("images": ["x"])", "images", "unsupported_parameter"},
      {R"("options": [])", "options", "invalid_type"},
      {R"("options": {"temperature": -0.1})", "options.temperature",
       "invalid_value"},
      {R"("options": {"temperature": 2.1})", "options.temperature",
       "invalid_value"},
      {R"("options": {"temperature": "1"})", "options.temperature",
       "invalid_type"},
      {R"("options": {"top_p": 0})", "options.top_p", "invalid_value"},
      {R"("options": {"top_p": 1.1})", "options.top_p", "invalid_value"},
      {R"("options": {"top_k": -2})", "options.top_k", "invalid_value"},
      {R"("options": {"top_k": 1.5})", "options.top_k", "invalid_value"},
      {R"("options": {"min_p": 1.5})", "options.min_p", "invalid_value"},
      {R"("options": {"repeat_penalty": 0})", "options.repeat_penalty",
       "invalid_value"},
      {R"("options": {"presence_penalty": 2.1})", "options.presence_penalty",
       "invalid_value"},
      {R"("options": {"frequency_penalty": -2.1})", "options.frequency_penalty",
       "invalid_value"},
      {R"("options": {"seed": 1.5})", "options.seed", "invalid_value"},
      {R"("options": {"seed": "1"})", "options.seed", "invalid_type"},
      {R"("options": {"stop": 1})", "options.stop", "invalid_type"},
      {R"("options": {"stop": ""})", "options.stop", "invalid_value"},
      {R"("options": {"stop": ["a", 1]})", "options.stop[1]", "invalid_type"},
      {R"("options": {"num_predict": -3})", "options.num_predict",
       "invalid_value"},
      {R"("options": {"num_predict": 3000000000})", "options.num_predict",
       "invalid_value"},
      {R"("options": {"num_ctx": 0})", "options.num_ctx", "invalid_value"},
  };
  for (const Refusal& test : kCases) {
    const std::string body =
        absl::StrCat(R"({"model": "m", )", test.fields, "}");
    ExpectRefused(test, ParseOllamaChat(body).status());
    ExpectRefused(test, ParseOllamaGenerate(body).status());
  }
}

TEST(OllamaChatRequest, RefusesBadMessages) {
  const Refusal kCases[] = {
      {R"("messages": {})", "messages", "invalid_type"},
      {R"("messages": ["x"])", "messages[0]", "invalid_type"},
      {R"("messages": [{}])", "messages[0].role", "missing_field"},
      {R"("messages": [{"role": 1}])", "messages[0].role", "invalid_type"},
      {R"("messages": [{"role": "robot"}])", "messages[0].role",
       "invalid_value"},
      {R"("messages": [{"role": "tool"}])", "messages[0].role",
       "unsupported_parameter"},
      {R"("messages": [{"role": "user", "content": 1}])", "messages[0].content",
       "invalid_type"},
      {R"("messages": [{"role": "user", "content": [{"type": "text"}]}])",
       "messages[0].content", "invalid_type"},
      {R"("messages": [{"role": "user", "images": ["x"]}])",
       "messages[0].images", "unsupported_content"},
      {R"("messages": [{"role": "assistant", "tool_calls": [{}]}])",
       "messages[0].tool_calls", "unsupported_parameter"},
      {R"("messages": [{"role": "assistant", "thinking": 1}])",
       "messages[0].thinking", "invalid_type"},
  };
  for (const Refusal& test : kCases) {
    ExpectRefused(test, ParseOllamaChat(absl::StrCat(R"({"model": "m", )",
                                                     test.fields, "}"))
                            .status());
  }
  std::string many = R"("messages": [)";
  for (size_t i = 0; i <= kMaxChatMessages; ++i) {
    absl::StrAppend(&many, i == 0 ? "" : ",", R"({"role": "user"})");
  }
  ExpectRefused(
      {"too many", "messages", "invalid_value"},
      ParseOllamaChat(absl::StrCat(R"({"model": "m", )", many, "]}")).status());
}

TEST(OllamaGenerateRequest, RefusesBadPrompts) {
  const Refusal kCases[] = {
      {R"("prompt": 1)", "prompt", "invalid_type"},
      {R"("prompt": ["a"])", "prompt", "invalid_type"},
      {R"("prompt": "a", "system": 1)", "system", "invalid_type"},
      {R"("prompt": "a", "raw": "yes")", "raw", "invalid_type"},
      {R"("prompt": "a", "raw": true, "system": "s")", "system",
       "invalid_value"},
  };
  for (const Refusal& test : kCases) {
    ExpectRefused(test, ParseOllamaGenerate(absl::StrCat(R"({"model": "m", )",
                                                         test.fields, "}"))
                            .status());
  }
}

TEST(OllamaRequest, RefusesBadBodies) {
  const struct {
    std::string body;
    const char* param;
    const char* code;
  } kCases[] = {
      {"", "", "invalid_json"},
      {"null", "", "invalid_json"},
      {"[]", "", "invalid_json"},
      {R"({"model": "m",})", "", "invalid_json"},
      {R"({"model": "m"} x)", "", "invalid_json"},
      {R"({"model": "m", "model": "m"})", "", "duplicate_key"},
      {"{\"model\": \"\xff\"}", "", "invalid_utf8"},
      {"{}", "model", "missing_field"},
      {R"({"model": 1})", "model", "invalid_type"},
      {R"({"model": ""})", "model", "invalid_value"},
      {absl::StrCat(R"({"model": ")", std::string(300, 'm'), "\"}"), "model",
       "invalid_value"},
      {absl::StrCat(R"({"model": "m", "x": )", std::string(100, '['), "}"), "",
       "too_deep"},
  };
  for (const auto& test : kCases) {
    for (const absl::Status& status : {ParseOllamaChat(test.body).status(),
                                       ParseOllamaGenerate(test.body).status(),
                                       ParseOllamaShow(test.body).status()}) {
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << test.body;
      EXPECT_EQ(DetailsOf(status).code, test.code) << test.body;
      EXPECT_EQ(DetailsOf(status).param, test.param) << test.body;
    }
  }
}

TEST(OllamaRequest, NamesWhatItDoesNotServe) {
  EXPECT_THAT(std::string(Chat("\"x\": 1").input.model), "m");
  const absl::Status status =
      ParseOllamaChat(R"({"model": "m", "format": "json"})").status();
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("format is not supported here"));
}

}  // namespace
}  // namespace mesh::gateway
